"""The system's users, groups and subordinate ids: read from /etc, then asked of the name service; a user may be added.

Adding      As dockerd does it: by adduser(8) or useradd(8), then usermod(8) for ranges, if those did not give any.
Errors      OSError and ValueError with a text to be shown.
Spec        passwd(5), group(5), subuid(5), usermod(8) (-v, -w).
"""

import grp
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass

RANGE_FIRST, RANGE_COUNT = 100000, 65536
_TIMEOUT_S = 30.0
_ADDING = (
    ("adduser", "--system --shell /bin/false --disabled-login --disabled-password --no-create-home --group"),
    ("useradd", "-r -s /bin/false"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """A user or a group."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Accounts:
    """`etc` is where the files are; `programs` is the PATH for those that change them, None for the daemon's own."""

    etc: str = "/etc"
    programs: str | None = None

    def user(self, key: str | int) -> Account | None:
        """A user by name or number."""
        return self._entry("passwd", key) or self._asked_user(key)

    def group(self, key: str | int) -> Account | None:
        """A group by name or number."""
        return self._entry("group", key) or self._asked_group(key)

    def _entry(self, file: str, key: str | int) -> Account | None:
        for line in self._lines(file):
            name, _, number, *_ = [*line.split(":"), "", "", ""]
            if _is_number(number) and key in (name, int(number)):
                return Account(name, int(number))
        return None

    def _lines(self, file: str) -> list[str]:
        try:
            with open(f"{self.etc}/{file}", encoding="utf-8", errors="surrogateescape") as opened:
                lines = [line.strip() for line in opened]
        except FileNotFoundError as error:
            raise OSError(f"open {self.etc}/{file}: no such file or directory") from error
        return [line for line in lines if line and not line.startswith("#")]

    def _asked_user(self, key: str | int) -> Account | None:
        try:
            found = pwd.getpwnam(key) if isinstance(key, str) else pwd.getpwuid(key)
        except (KeyError, ValueError, OverflowError):
            return None
        return Account(found.pw_name, found.pw_uid)

    def _asked_group(self, key: str | int) -> Account | None:
        try:
            found = grp.getgrnam(key) if isinstance(key, str) else grp.getgrgid(key)
        except (KeyError, ValueError, OverflowError):
            return None
        return Account(found.gr_name, found.gr_gid)

    def ranges(self, file: str, user: Account) -> list[tuple[int, int]]:
        """The (first, count) ranges that "subuid" or "subgid" has for a user, by name or by number."""
        found = []
        for line in self._lines(file):
            owner, *numbers = line.split(":")
            if owner in (user.name, str(user.number)):
                if len(numbers) != 2 or not all(map(_is_number, numbers)) or not int(numbers[1]):
                    raise ValueError(f"invalid line in {self.etc}/{file}: {line}")
                found.append((int(numbers[0]), int(numbers[1])))
        return found

    # adding

    def add(self, name: str) -> Account:
        """A new system user and group, with subordinate ids."""
        for program, options in _ADDING:
            if path := shutil.which(program, path=self.programs):
                self._run(path, *options.split(), name, failed="failed to add user with error")
                break
        else:
            raise ValueError("cannot add user; no useradd/adduser binary found")
        user = self.user(name)
        if user is None:
            raise ValueError(f"user {name} is not there after it was added")
        for file, option, kind in (("subuid", "-v", "uid"), ("subgid", "-w", "gid")):
            if not self.ranges(file, user):
                self._add_range(file, option, name, failed=f"unable to add sub{kind} range to user: {name}")
        return user

    def _add_range(self, file: str, option: str, name: str, *, failed: str) -> None:
        path = shutil.which("usermod", path=self.programs)
        if path is None:
            raise ValueError(f"{failed}; no usermod binary found")
        first = self._first_free(file)
        self._run(path, option, f"{first}-{first + RANGE_COUNT - 1}", name, failed=failed)

    def _first_free(self, file: str) -> int:
        rows = [line.split(":")[1:] for line in self._lines(file)]
        taken = sorted((int(row[0]), int(row[1])) for row in rows if len(row) == 2 and all(map(_is_number, row)))
        first = RANGE_FIRST
        for start, count in taken:
            if start < first + RANGE_COUNT and first < start + count:
                first = start + count
        return first

    def _run(self, *argv: str, failed: str) -> None:
        found = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
            env={**os.environ, **({"PATH": self.programs} if self.programs else {})},
        )
        if found.returncode:
            output = found.stdout.decode(errors="replace").strip()
            raise ValueError(f"{failed}: exit status {found.returncode}; output: {output}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
