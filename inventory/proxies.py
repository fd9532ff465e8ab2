"""The address of a client, as trusted proxies tell it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_WITH_PORT = re.compile(r"\[(?P<ipv6>[^]]+)\](?::\d+)?|(?P<ipv4>[^:]+):\d+")


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies of `--forwarded-allow-ips`, of which `*` is everybody, and those on a Unix socket."""

    networks: Sequence[IPv4Network | IPv6Network]
    everybody: bool = False

    def include(self, peer: Address | None) -> bool:
        return peer is None or self.everybody or self._know(peer)

    def client(self, peer: Address | None, forwarded_for: str | None) -> Address | None:
        """The client of a trusted peer that sent this `X-Forwarded-For`.

        Each proxy appends the address of its peer, so the list is read from its end. The first address that is no
        known proxy's is the client's, who may have written what stands before it. A proxy that tells no address
        counts as the client itself; on a Unix socket it has no address, and so is unknown, not on this host. With
        `*` no proxy is known, and the last address is the client's.
        """
        client = peer
        for hop in reversed((forwarded_for or "").split(",")):
            try:
                client = _parse(hop)
            except ValueError:
                return client
            if not self._know(client):
                return client
        return client

    def _know(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def peer_address(text: str) -> Address | None:
    """The address of a peer; None for that of a Unix socket."""
    try:
        return _parse(text)
    except ValueError:
        return None


def _parse(text: str) -> Address:
    """The address, which may have a port. An IPv4 address inside an IPv6 one is that alone. Raises ValueError."""
    text = text.strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match["ipv6"] or match["ipv4"]
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address
