import os
from pathlib import Path

from sampan.linux.title import set_title


def test_a_process_shows_what_it_is_told_to() -> None:
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        set_title(b"sampan-test 1234")
        os.write(tell, b"done")
        os.read(os.pipe()[0], 1)
    os.read(told, 4)
    try:
        assert Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").startswith(b"sampan-test 1234")
        assert Path(f"/proc/{pid}/comm").read_text() == "sampan-test\n"
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(told)
        os.close(tell)
