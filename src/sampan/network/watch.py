"""Watching the firewall: what others flush or set up is noticed by notification and put right at once.

Own table   deleted or emptied by somebody (`nft flush ruleset`, a firewall's reload): built again.
Others'     a chain that is new, changed (its policy) or has lost rules: looked at by `ForeignChains`.
Our own changes arrive as notifications, too; they are told by the port id of the socket that made them.
"""

import asyncio
import errno
import logging

from sampan.base.tasks import run_blocking
from sampan.linux import netlink, nftables
from sampan.network.firewall import Firewall
from sampan.network.foreign import ForeignChains

_log = logging.getLogger("sampan.network")

_LOSSES = frozenset(
    {
        nftables.NFT_MSG_DELTABLE,
        nftables.NFT_MSG_DELCHAIN,
        nftables.NFT_MSG_DELRULE,
        nftables.NFT_MSG_DELSET,
        nftables.NFT_MSG_DELSETELEM,
    }
)
_FOREIGN_CHANGES = frozenset({nftables.NFT_MSG_NEWCHAIN, nftables.NFT_MSG_DELRULE})

# A tool that fights for its rules must not keep the daemon busy.
_PAUSE_BETWEEN_REPAIRS_S = 0.01


class Watch:
    """Repairs the rules for as long as `run` runs; it owns the socket, which is subscribed to nftables' changes."""

    def __init__(self, firewall: Firewall, foreign: ForeignChains, sock: netlink.Socket) -> None:
        self._firewall = firewall
        self._foreign = foreign
        self._socket = sock
        self._changed = asyncio.Event()
        self._own_is_damaged = self._foreign_has_changed = False

    def close(self) -> None:
        self._socket.close()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket.fileno(), self._read)
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._repair()
                await asyncio.sleep(_PAUSE_BETWEEN_REPAIRS_S)
        finally:
            loop.remove_reader(self._socket.fileno())

    def _read(self) -> None:
        try:
            notifications = self._socket.notifications()
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            # Some were lost: look at everything.
            self._own_is_damaged = self._foreign_has_changed = True
            self._changed.set()
            return
        ours = {self._firewall.port, self._foreign.port}
        for each in notifications:
            if each.port not in ours:
                self._judge(each)

    def _judge(self, notification: netlink.Message) -> None:
        if nftables.is_about(notification, self._firewall.table):
            self._own_is_damaged |= notification.kind in _LOSSES
        else:
            self._foreign_has_changed |= notification.kind in _FOREIGN_CHANGES
        if self._own_is_damaged or self._foreign_has_changed:
            self._changed.set()

    async def _repair(self) -> None:
        own, foreign = self._own_is_damaged, self._foreign_has_changed
        self._own_is_damaged = self._foreign_has_changed = False
        try:
            if own:
                await run_blocking("net", self._firewall.rebuild)
                _log.warning("firewall table %s was changed by another program: built again", self._firewall.table)
            if foreign:
                await run_blocking("net", self._foreign.open_up)
        except OSError:
            _log.exception("the firewall could not be repaired")
