"""AppArmor for containers: the default profile, whether it is loaded, and which profile a container has.

The profile allows what a program does among its own files and processes, and takes away the doors that lead out of the
container even for its root: the parts of /proc and /sys that are the host's, and mount(2). It has the effect of the
profile that Docker calls "docker-default"; here it is `sampan-default`, and the other name is taken for it, because the
two daemons' loads would replace each other's.

Invariants  A container of a host with AppArmor has a profile: the default one, the one that --security-opt apparmor=
            names, or "unconfined"; that of a privileged one. An exec has its container's, privileged or not.
Reloading   Package upgrades may unload profiles that are no files of /etc/apparmor.d (moby #25333): `ensure_loaded`
            looks each time.
Errors      Internal when the profile cannot be loaded, with what apparmor_parser said.
Spec        apparmor.d(5), apparmor_parser(8); moby/profiles, apparmor/template.go.
"""

import os
import subprocess

from sampan.api.wire.host import HostConfig
from sampan.base.tasks import run_blocking
from sampan.errors import Internal
from sampan.runtime.labels import is_apparmor_enabled

DEFAULT = "sampan-default"
UNCONFINED = "unconfined"
_OTHER_NAMES = ("docker-default",)

_LOADED = "/sys/kernel/security/apparmor/profiles"
_INCLUDES = "/etc/apparmor.d"
_PARSER = "apparmor_parser"
_PARSER_TIMEOUT_S = 60.0

_PROFILE = """\
# The profile of containers that ask for none. Loaded by sampand; not a file of its own.
{head}

profile "{name}" flags=(attach_disconnected, mediate_deleted) {{
{base}
  # Everything a program may do by its user and capabilities is allowed, unless it is denied below.
  file,
  capability,
  network,
  umount,

  # The kernel's crypto sockets have been a way to its memory more than once.
  deny network alg,

  # Mounting is how the denials of paths below would be got around.
  deny mount,

  # Signals come from the host, from the daemon and from other runtimes; they go to one's own kind only.
  signal (receive) peer=unconfined,
  signal (receive) peer=runc,
  signal (receive) peer=crun,
  signal (receive) peer="{daemon}",
  signal (send, receive) peer="{name}",
  ptrace (trace, tracedby, read, readby) peer="{name}",

  # /proc: a process may write below its own kind's numbers; of the kernel's parameters only the sizes of shared memory.
  deny @{{PROC}}/* w,
  deny @{{PROC}}/[^1-9s/]*/** w,
  deny @{{PROC}}/s[^y/]*/** w,
  deny @{{PROC}}/sy[^s/]*/** w,
  deny @{{PROC}}/sys[^/]*/** w,
  deny @{{PROC}}/sys/[^k]** w,
  deny @{{PROC}}/sys/kernel/{{?,??,[^s]**,s[^h]**,sh[^m]**}} w,
  deny @{{PROC}}/sysrq-trigger rwklx,
  deny @{{PROC}}/kcore rwklx,

  # /sys: nothing to write but the cgroups; what tells of firmware, power use and profiles is not read either.
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
}}
"""


def profile_of(host: HostConfig, *, is_enabled: bool) -> str:
    """The profile of a container's processes, first one and execs; "" where the host has no AppArmor."""
    if not is_enabled:
        return ""
    asked = ""
    for option in host.security_opt or ():
        key, _, name = option.partition("=") if "=" in option else option.partition(":")
        if key == "apparmor":
            asked = name
    if asked in _OTHER_NAMES:
        return DEFAULT
    return asked or (UNCONFINED if host.privileged else DEFAULT)


async def ensure_loaded() -> None:
    """Load the default profile where the host has AppArmor and not yet the profile."""
    if is_apparmor_enabled() and not is_loaded():
        await run_blocking("disk", load)


def is_loaded(name: str = DEFAULT, *, listing: str = _LOADED) -> bool:
    """Whether the kernel has a profile of that name."""
    try:
        with open(listing, encoding="utf-8", errors="surrogateescape") as profiles:
            return any(profile_name(line) == name for line in profiles)
    except OSError:
        return False


def profile_name(context: str) -> str:
    """The name in what the kernel writes as "NAME (MODE)" or just "NAME"; names may have blanks and parentheses."""
    context = context.rstrip("\n\0")
    name, opening, _ = context.rpartition(" (")
    return name if opening and context.endswith(")") else context


def profile_text(*, daemon: str, includes: str = _INCLUDES) -> str:
    """The default profile for this machine's AppArmor; `daemon` is the profile that the daemon itself runs under."""

    def has(path: str) -> bool:
        return os.path.exists(f"{includes}/{path}")

    # With newer ABIs "network" means no Unix sockets any more (apparmor #561).
    head = ["abi <abi/3.0>,"] if has("abi/3.0") else []
    head.append("include <tunables/global>" if has("tunables/global") else "@{PROC}=/proc/")
    base = "  include <abstractions/base>\n" if has("abstractions/base") else ""
    return _PROFILE.format(head="\n".join(head), name=DEFAULT, base=base, daemon=daemon or UNCONFINED)


def load() -> None:
    """Hand the default profile to the kernel, in place of one of that name."""
    text = profile_text(daemon=_own_profile())
    what = f"AppArmor enabled on system but the {DEFAULT} profile could not be loaded"
    try:
        # -K: no cache is written, /etc may be read-only. -r: what is there is replaced.
        done = subprocess.run(
            [_PARSER, "-Kr"], input=text.encode(), capture_output=True, check=False, timeout=_PARSER_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Internal(f"{what}: running `{_PARSER} -Kr` failed: {error}") from error
    if done.returncode:
        output = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
        raise Internal(f"{what}: running `{_PARSER} -Kr` failed with output: {output}")


def _own_profile() -> str:
    for name in ("apparmor/current", "current"):
        try:
            with open(f"/proc/self/attr/{name}", encoding="utf-8", errors="surrogateescape") as file:
                return profile_name(file.read())
        except OSError:
            continue
    return UNCONFINED
