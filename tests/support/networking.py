"""`Networks` on a database of its own, for tests on a laboratory host (`support.netlab`)."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sampan.network import Endpoint, Networks, PortBinding
from sampan.storage.metadata import Database
from support.netlab import Namespace

BRIDGE = "smpn0"
GATEWAY = "10.82.0.1"


@asynccontextmanager
async def networks(
    folder: str | None = None, *, bridge: str = BRIDGE, bip: str | None = f"{GATEWAY}/24"
) -> AsyncIterator[Networks]:
    """Opened networks; the same folder again is a daemon restarted."""
    with tempfile.TemporaryDirectory() as fresh:
        database = Database(os.path.join(folder or fresh, "metadata.db"))
        database.open()
        try:
            async with Networks(database, bridge=bridge, bip=bip) as opened:
                yield opened
        finally:
            database.close()


async def join(opened: Networks, container: str, *ports: PortBinding) -> tuple[Namespace, Endpoint]:
    """A fresh namespace joined to the bridge."""
    inside = Namespace()
    endpoint = await opened.join(container, mode="bridge", ports=ports, netns=inside, hostname=container)
    return inside, endpoint


def bind(host: str, port: str = "80/tcp") -> PortBinding:
    """As after `-p`: host address and port, of which the address may be left out; and the container's port."""
    address, _, number = host.rpartition(":")
    return PortBinding.parse(port, host_ip=address, host_port=number)
