"""Other people's firewalls: our packets pass forward chains whose policy is to drop.

A packet must be accepted by every chain at a hook, and Docker, ufw and many administrators set the policy of theirs to
drop. So each such chain gets two rules at its head that accept what comes from or goes to our bridge. Nothing is opened
by that: what may come in is decided by the chain `forward` of our own table.

Invariants  1. The rules are made of what iptables-nft can list, and carry our comment, by which they are found again.
            2. Checking is idempotent; a chain that was flushed gets its rules again.
Threads     Callers take turns: the watch runs in one thread, the daemon's end in another.
Errors      OSError; a chain that vanishes between looking and writing is not one.
"""

import errno
import threading

from sampan.linux import netlink, nfexpr, nftables

_WATCHED_FAMILIES = (nftables.NFPROTO_IPV4, nftables.NFPROTO_INET)


class ForeignChains:
    """Our accept rules in the chains of others; it owns the socket that is given.

    One thread at a time: the watch's may still be at it when the daemon ends, and would read the other's answers.
    """

    def __init__(self, bridge: str, own_table: str, sock: netlink.Socket) -> None:
        self._bridge = bridge
        self._own_table = own_table
        self._socket = sock
        self._lock = threading.Lock()
        self.comment = f"sampan {bridge}"

    @property
    def port(self) -> int:
        """The netlink port id that our changes are notified with."""
        return self._socket.port

    def close(self) -> None:
        """Close the socket; the rules stay."""
        with self._lock:
            self._socket.close()

    def open_up(self) -> int:
        """Insert the rules where they are needed and missing; the number of chains changed."""
        with self._lock:
            return self._open_up()

    def _open_up(self) -> int:
        batch, changed = nftables.Batch(), 0
        for chain in self._forward_chains():
            if chain.policy == nftables.NF_DROP and not self._rules(chain):
                changed += 1
                for key in (nfexpr.NFT_META_IIFNAME, nfexpr.NFT_META_OIFNAME):
                    matched = nfexpr.interface(key, nfexpr.NFT_CMP_EQ, self._bridge)
                    accept = nfexpr.verdict(nfexpr.NF_ACCEPT)
                    batch.insert_rule(chain, matched, nfexpr.counter(), accept, comment=self.comment)
        self._commit(batch)
        return changed

    def withdraw(self) -> None:
        """Take the rules out again."""
        with self._lock:
            self._withdraw()

    def _withdraw(self) -> None:
        batch = nftables.Batch()
        for chain in self._forward_chains():
            for rule in self._rules(chain):
                batch.delete_rule(rule)
        self._commit(batch)

    def _forward_chains(self) -> list[nftables.Chain]:
        return [
            chain
            for chain in nftables.list_base_chains(self._socket)
            if chain.hook == nftables.NF_INET_FORWARD
            and chain.family in _WATCHED_FAMILIES
            and chain.table != self._own_table
        ]

    def _rules(self, chain: nftables.Chain) -> list[nftables.Rule]:
        rules = nftables.list_rules(self._socket, family=chain.family, table=chain.table, chain=chain.name)
        return [rule for rule in rules if rule.comment == self.comment]

    def _commit(self, batch: nftables.Batch) -> None:
        try:
            batch.commit(self._socket)
        except OSError as error:
            # Whoever removed the chain has caused a notification, which brings us here again.
            if error.errno != errno.ENOENT:
                raise
