"""CVE-2019-5736 and its kin: from inside a container, change the program that the runtime itself runs."""

import os
import time

from run import Failed


def overwrite_own(image_program):
    """Run as the runtime's own program (entry point /proc/self/exe), and change that file on the host."""
    fd = os.open("/proc/self/exe", os.O_RDONLY)
    if os.path.samestat(os.fstat(fd), os.stat(image_program)):
        raise Failed("this is the image's own program")
    return change(fd, wait_s=0.5)


def change(fd, *, wait_s=0.0):
    """Change the file that `fd` was opened on: give it its own mode anew, or open it for writing.

    Its mode stays what it was, but who may set that may set the setuid bit. Writing is refused while it is executed
    (ETXTBSY), so that is tried for a while.
    """
    path = f"/proc/self/fd/{fd}"
    try:
        os.chmod(path, os.fstat(fd).st_mode & 0o7777)
        return f"could change the mode of {os.readlink(path)}"
    except OSError as error:
        refused = error
    end = time.monotonic() + wait_s
    while True:
        try:
            os.close(os.open(path, os.O_WRONLY))
            return f"could write to {os.readlink(path)}"
        except OSError as error:
            if time.monotonic() >= end:
                raise Failed(f"chmod: {refused}; open: {error}") from error
        time.sleep(0.005)
