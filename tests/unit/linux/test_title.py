import os
from pathlib import Path

from sampan.linux.title import set_title
from support import children


def test_a_process_shows_what_it_is_told_to() -> None:
    told, tell = os.pipe()

    def titled() -> None:
        set_title(b"sampan-test 1234")
        os.write(tell, b"done")
        os.read(os.pipe()[0], 1)

    pid = children.fork(titled)
    os.close(tell)  # so that a child that fails ends the wait below
    try:
        assert os.read(told, 4) == b"done"
        assert Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").startswith(b"sampan-test 1234")
        assert Path(f"/proc/{pid}/comm").read_text() == "sampan-test\n"
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(told)
