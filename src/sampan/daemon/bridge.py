"""Whose the bridge is: a daemon that stops without containers takes down what it made, and only that.

Layout      <exec-root>/bridge      the name of the bridge that this daemon, or an earlier one on these roots, made
Invariant   A bridge that was there before us (an operator's, given by --bridge) is never removed.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sampan.base.atomicfile import write_atomic
from sampan.daemon.config import Config
from sampan.network.networks import Networks


@asynccontextmanager
async def kept_while_needed(config: Config, networks: Networks) -> AsyncIterator[Networks]:
    """The networks, open; at the end the bridge, its table and rules go when no container is connected."""
    mark = f"{config.exec_root}/bridge"
    is_new = not os.path.exists(f"/sys/class/net/{config.bridge}")
    async with networks:
        if is_new:
            write_atomic(mark, config.bridge.encode(), durable=False)
        yield networks
        if not networks.endpoints() and _name_in(mark) == config.bridge:
            await networks.teardown()
            os.unlink(mark)


def _name_in(mark: str) -> str:
    try:
        with open(mark, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
