"""One daemon's life: hold what it alone may hold, assemble the engine, serve it until a signal.

A signal ends the serving, not the containers: they run on under their shims.
"""

import asyncio
import gc
import logging
import signal
from contextlib import ExitStack

from sampan import __version__
from sampan.api.server.app import build_app
from sampan.daemon.assemble import assembled, prepare_roots
from sampan.daemon.backend import backend_of
from sampan.daemon.config import Config
from sampan.daemon.listeners import Listeners
from sampan.daemon.lockfile import exclusive, pid_file

_DRAIN_S = 1.0

_log = logging.getLogger("sampan.daemon")


def keep(config: Config) -> None:
    """Run until SIGTERM or SIGINT."""
    prepare_roots(config)
    with ExitStack() as stack:
        stack.enter_context(exclusive(config.data_root))
        stack.enter_context(pid_file(config.pidfile))
        listeners = Listeners(config.hosts, config.group)
        stack.callback(listeners.close)
        listeners.open()
        asyncio.run(_serve(config, listeners))


async def _serve(config: Config, listeners: Listeners) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with assembled(config) as engine:
        api = build_app(backend_of(engine))
        await listeners.serve(api)
        # What lives until the end need not be looked at by every collection.
        gc.collect()
        gc.freeze()
        _log.info("sampand %s is ready; data root %s", __version__, config.data_root)
        await stopping.wait()
        _log.info("stopping; containers go on")
        listeners.close()
        engine.system.events.close()
        await api.close(timeout_s=_DRAIN_S)
