"""Sets of IP addresses of both families.

An address is an integer: IPv4 as it is, IPv6 with the bit `IPV6` set. So one set holds both families, IPv4 first,
and no range reaches from one into the other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal

from secgroups.traffic.ranges import Range, Ranges

#: By the names of the API.
Family = Literal["IPV4", "IPV6"]
IPV6 = 1 << 128
#: Python also takes a scope, which means nothing to a cloud, and masks with dots, of which 0.0.0.0 is ambiguous.
_CIDR = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}")


@lru_cache(maxsize=10_000)  # an address of a port is in the answers of all that name its groups
def parse_address(text: str) -> int:
    """The integer of one address. Raises `ValueError` if it is none, or one with a scope."""
    parsed = ip_address(text)
    if isinstance(parsed, IPv4Address):
        return int(parsed)
    if parsed.scope_id is not None:
        raise ValueError(text)
    return IPV6 | int(parsed)


def network(text: str) -> Range:
    """The addresses of a CIDR or of one address. Raises `ValueError` if it is neither."""
    if "/" not in text:
        address = parse_address(text)
        return address, address
    if not _CIDR.fullmatch(text):
        raise ValueError(text)
    parsed = ip_network(text, strict=False)
    base = IPV6 if parsed.version == 6 else 0
    return base + int(parsed.network_address), base + int(parsed.broadcast_address)


def readable(texts: Iterable[str]) -> Iterator[Range]:
    """The addresses of those of these texts that are some: a cloud may have put anything there."""
    for text in texts:
        with suppress(ValueError):
            yield network(text)


@lru_cache(maxsize=10_000)  # rules repeat the same few ranges
def networks(*texts: str) -> Ranges:
    return Ranges.of(*map(network, texts))


def cidrs(addresses: Ranges) -> Iterator[str]:
    """CIDRs without overlap, sorted, IPv4 first. One address has its prefix length as well."""
    for first, bits in _blocks(addresses):
        yield f"{text_of(first)}/{(128 if first & IPV6 else 32) - bits}"


def number_of_cidrs(addresses: Ranges) -> int:
    return sum(1 for _ in _blocks(addresses))


def _blocks(addresses: Ranges) -> Iterator[tuple[int, int]]:
    """The first address of each CIDR, and the number of its bits that vary."""
    for first, last in addresses.ranges:
        while first <= last:
            aligned = (first & -first).bit_length() - 1 if first else 32
            bits = min(aligned, (last - first + 1).bit_length() - 1)
            yield first, bits
            first += 1 << bits


@lru_cache(maxsize=10_000)
def text_of(address: int) -> str:
    return str(as_ip(address))


def as_ip(address: int) -> IPv4Address | IPv6Address:
    return IPv6Address(address ^ IPV6) if address & IPV6 else IPv4Address(address)


#: Every address of a family.
FAMILIES: Mapping[Family, Ranges] = {"IPV4": networks("0.0.0.0/0"), "IPV6": networks("::/0")}
EVERYWHERE = Ranges.union(FAMILIES.values())

#: IANA's special-purpose address registries (RFC 6890): blocks that are not globally reachable, and the smaller
#: blocks within them that are. Multicast is not in them, but no host sends from such an address. The
#: table with its reasons is in `docs/analysis.md`.
_NOT_GLOBAL = networks(
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
)
_GLOBAL = networks(
    "192.0.0.9",
    "192.0.0.10",
    "2001:1::1",
    "2001:1::2",
    "2001:1::3",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:20::/28",
    "2001:30::/28",
)
#: Every public address.
PUBLIC = (networks("0.0.0.0/0", "2000::/3") - _NOT_GLOBAL) | _GLOBAL


def family_of(address: int) -> Family:
    return "IPV6" if address & IPV6 else "IPV4"


#: How most private addresses begin, and CIDRs of these. Looking for them is much faster than parsing millions.
_PRIVATE = ("10.", "192.168.", "127.", "169.254.", "fd", "fe80:")
_PRIVATE_RANGE = re.compile(
    r"(?:10\.[0-9.]+/(?:[89]|[12][0-9]|3[0-2])|192\.168\.[0-9.]+/(?:1[6-9]|2[0-9]|3[0-2]))"
)
NO_FAMILIES: frozenset[Family] = frozenset()


def is_surely_private(text: str) -> bool:
    """Whether a CIDR is one of the usual private ones. Others may be private as well."""
    return _PRIVATE_RANGE.fullmatch(text) is not None


def public_families(addresses: Collection[str], translated: Collection[str] = ()) -> frozenset[Family]:
    """The families in which one of these addresses of a port is public.

    Those that are `translated` to it from outside are, whatever the network outside is.
    """
    if not translated and all(text.startswith(_PRIVATE) for text in addresses):
        return NO_FAMILIES
    return frozenset(
        family_of(first)
        for text in {*addresses, *translated}
        for first, _ in readable([text])
        if text in translated or first in PUBLIC
    )
