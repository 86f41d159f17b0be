"""Talking to systemd over D-Bus (org.freedesktop.systemd1(5)), with jeepney.

`Manager` is a connection for a few calls; the command makes one when it needs it and closes it. A unit is started and
stopped by a job: the call returns the job's path, a signal JobRemoved tells its result.

Buses       The machine's systemd on the system bus; a user's own on the session bus, whose address is
            DBUS_SESSION_BUS_ADDRESS or $XDG_RUNTIME_DIR/bus.
Errors      BusError, with the name of systemd's error.
"""

import os
from typing import TYPE_CHECKING, Any

import jeepney
from jeepney.io import blocking

from sampan.runtime.cgroup import files

if TYPE_CHECKING:
    from sampan.runtime.cgroup.systemd.properties import Property

_NAME = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_INTERFACE = f"{_NAME}.Manager"
_CALL_PATIENCE_S = 25.0
_JOB_PATIENCE_S = 30.0
_NO_MORE_UNITS: "list[Any]" = []
_NO_SUCH_UNIT = f"{_NAME}.NoSuchUnit"
_UNIT_EXISTS = f"{_NAME}.UnitExists"


class BusError(files.CgroupError):
    """systemd refused, or could not be asked. `name`: of its error."""

    def __init__(self, text: str, *, name: str = "") -> None:
        super().__init__(text)
        self.name = name


class Manager:
    """systemd, as somebody who wants units of it sees it; a context manager."""

    __slots__ = ("_address", "_connection")

    def __init__(self, *, is_user: bool) -> None:
        try:
            self._connection = blocking.open_dbus_connection(_user_bus() if is_user else "SYSTEM")
        except (OSError, ValueError, RuntimeError) as error:
            raise BusError(f"cannot connect to systemd over D-Bus: {error}") from error
        self._address = jeepney.DBusAddress(_PATH, bus_name=_NAME, interface=_INTERFACE)

    def __enter__(self) -> "Manager":
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()

    def start_unit(self, unit: str, properties: "list[Property]") -> None:
        """Make a transient unit and wait until it is there."""
        signature, arguments = "ssa(sv)a(sa(sv))", (unit, "replace", properties, _NO_MORE_UNITS)
        try:
            self._run_job("StartTransientUnit", signature, arguments)
        except BusError as error:
            if error.name != _UNIT_EXISTS:
                raise
            # One of that name may have failed before and be kept for its status only.
            self.forget_failure(unit)
            self._run_job("StartTransientUnit", signature, arguments)

    def stop_unit(self, unit: str) -> None:
        """Stop a unit, and wait until it is gone; nothing when it is."""
        try:
            self._run_job("StopUnit", "ss", (unit, "replace"))
        except BusError as error:
            if error.name != _NO_SUCH_UNIT:
                raise
        self.forget_failure(unit)

    def forget_failure(self, unit: str) -> None:
        """Let systemd drop a unit that it keeps because it failed."""
        try:
            self._call("ResetFailedUnit", "s", (unit,))
        except BusError as error:
            if error.name != _NO_SUCH_UNIT:
                raise

    def set_properties(self, unit: str, properties: "list[Property]") -> None:
        """Change a unit until the next boot."""
        self._call("SetUnitProperties", "sba(sv)", (unit, True, properties))

    def attach_process(self, unit: str, pid: int) -> None:
        """Move a process into a unit."""
        self._call("AttachProcessesToUnit", "ssau", (unit, "", [pid]))

    def property(self, name: str) -> str:
        """One of systemd's own: "Version", "ControlGroup"."""
        address = self._address.with_interface("org.freedesktop.DBus.Properties")
        message = jeepney.new_method_call(address, "Get", "ss", (_INTERFACE, name))
        return str(self._send(message)[0][1])

    def version(self) -> int:
        """systemd's version."""
        digits = ""
        for character in self.property("Version").lstrip("v"):
            if not character.isdigit():
                break
            digits += character
        return int(digits or 0)

    def _run_job(self, method: str, signature: str, arguments: "tuple[Any, ...]") -> None:
        rule = jeepney.MatchRule(type="signal", interface=_INTERFACE, member="JobRemoved", path=_PATH)
        self._call("Subscribe", "", ())
        self._send(jeepney.message_bus.AddMatch(rule))
        with self._connection.filter(rule, bufsize=10000) as removed:
            job = self._call(method, signature, arguments)[0]
            while True:
                try:
                    message = self._connection.recv_until_filtered(removed, timeout=_JOB_PATIENCE_S)
                except TimeoutError as error:
                    raise BusError(f"timeout waiting for systemd: {method} {arguments[0]}") from error
                _, path, unit, result = message.body
                if path == job:
                    break
        if result not in ("done", "skipped"):
            self.forget_failure(unit)
            raise BusError(f"{method} of systemd unit {unit}: got `{result}`", name=result)

    def _call(self, method: str, signature: str, arguments: "tuple[Any, ...]") -> "tuple[Any, ...]":
        return self._send(jeepney.new_method_call(self._address, method, signature or None, arguments))

    def _send(self, message: Any) -> "tuple[Any, ...]":
        try:
            reply = self._connection.send_and_get_reply(message, timeout=_CALL_PATIENCE_S)
        except (OSError, TimeoutError) as error:
            raise BusError(f"cannot talk to systemd over D-Bus: {error}") from error
        if reply.header.message_type is jeepney.MessageType.error:
            name = reply.header.fields[jeepney.HeaderFields.error_name]
            raise BusError(f"systemd: {reply.body[0] if reply.body else name}", name=name)
        return tuple(reply.body)


def _user_bus() -> str:
    if address := os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return address
    path = f"{os.environ.get('XDG_RUNTIME_DIR') or f'/run/user/{os.geteuid()}'}/bus"
    if not os.path.exists(path):
        raise BusError("cannot find the user's systemd: no DBUS_SESSION_BUS_ADDRESS, and no bus in XDG_RUNTIME_DIR")
    return f"unix:path={path}"
