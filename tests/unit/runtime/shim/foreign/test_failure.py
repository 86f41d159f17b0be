import pytest

from sampan.runtime.shim.foreign import failure
from sampan.runtime.shim.foreign.command import Result


def test_a_runtimes_error_is_told_in_dockers_frame() -> None:
    text = 'runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH'
    found = failure.start_error(Result(text), failure.CREATE)
    assert found["exit_code"] == 127
    assert found["message"] == (
        "failed to create task for container: failed to create shim task: OCI runtime create failed: " + text
    )


def test_our_own_error_keeps_its_words_and_its_code() -> None:
    text = "unable to find user x: no matching entries in passwd file"
    assert failure.start_error(Result(text, 128), failure.CREATE) == {"message": text, "exit_code": 128}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('exec: "/etc": permission denied', 126),
        ('exec: "/etc": is a directory', 126),
        ("executable file `nope` not found in $PATH: No such file or directory", 127),
        ("open executable: Permission denied", 126),
        ("cgroups in hybrid mode not supported", 128),
    ],
)
def test_the_exit_code_follows_the_text(text: str, code: int) -> None:
    assert failure.start_error(Result(text), failure.EXEC)["exit_code"] == code


def test_the_kernels_words_are_in_the_case_that_clients_look_for() -> None:
    found = failure.start_error(Result("crun: open `x`: No such file or directory"), failure.EXEC)
    assert found["message"] == "OCI runtime exec failed: crun: open `x`: no such file or directory"
