"""`sampand`: read the settings, assemble the engine, serve it until a signal, leave the containers running.

Exit status 0 after SIGTERM or SIGINT; 1 when it could not start; 2 for a wrong command line or configuration.
"""

import logging
import os
import sys
import time

from sampan import errors
from sampan.daemon.config import from_command_line

_LEVELS = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR", "fatal": "CRITICAL"}

_log = logging.getLogger("sampan.daemon")


def main() -> None:
    """The program's entry point."""
    sys.exit(run(sys.argv[1:]))


def run(argv: list[str]) -> int:
    """Do what the command line says; the exit status."""
    try:
        asked = from_command_line(argv)
    except errors.InvalidArgument as error:
        print(f"sampand: {error}", file=sys.stderr)
        return 2
    if asked.text:
        print(asked.text)
        return 0
    _set_up_logging(asked.config.log_level)
    try:
        _check_privileges()
        # Not before: --version and a wrong flag are answered without loading the engine.
        from sampan.daemon.serve import keep

        keep(asked.config)
        return 0
    except (errors.Error, OSError) as error:
        _log.critical("failed to start daemon: %s", error)
        return 1


def _check_privileges() -> None:
    if os.geteuid() != 0:
        raise errors.PermissionDenied("sampand needs to be started with root privileges")


class _Format(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")


def _set_up_logging(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Format())
    logging.basicConfig(level=_LEVELS[level], handlers=[handler])
    logging.getLogger("asyncio").setLevel("WARNING")


if __name__ == "__main__":
    main()
