import os
import subprocess

import pytest

from sampan.runtime.launcher import interpreter


def test_the_sealed_copy_runs_and_nobody_can_write_to_it() -> None:
    path = interpreter.real_interpreter()
    memfd = interpreter.sealed_copy(path)
    try:
        found = subprocess.run(
            [path, "-I", "-S", "-c", "import os; print(os.readlink('/proc/self/exe'))"],
            executable=f"/proc/self/fd/{memfd}",
            pass_fds=(memfd,),
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.startswith("/memfd:python")
        with pytest.raises(PermissionError):
            os.write(memfd, b"x")
    finally:
        os.close(memfd)


def test_the_command_needs_no_site_and_names_its_helpers() -> None:
    command = interpreter.command(7, ["a.module"])
    assert command[1:4] == ["-I", "-S", "-c"]
    assert "main(7, ['a.module'])" in command[4]
