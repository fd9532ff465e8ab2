"""Addresses of clouds: which of them Portcullis connects to, whatever a provider, a catalog or a name server says.

The IPv4 address in an IPv6 address counts as well, because gateways and the kernel send the packets there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from inventory.drivers import messages
from inventory.drivers.exceptions import AddressRefused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Kind(StrEnum):
    """The kinds of addresses, from the worst to the best, as messages call them."""

    METADATA = "metadata"
    LINK_LOCAL = "link-local"
    UNSPECIFIED = "unspecified"
    MULTICAST = "multicast"
    BROADCAST = "broadcast"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    PUBLIC = "public"


#: The kinds that no setting allows.
NEVER = frozenset({Kind.METADATA, Kind.LINK_LOCAL, Kind.UNSPECIFIED, Kind.MULTICAST, Kind.BROADCAST})
#: The kinds that a setting can refuse.
REFUSABLE = (Kind.LOOPBACK, Kind.PRIVATE)

#: Services of clouds for their own machines, which give credentials to whoever asks. Most are at 169.254.169.254,
#: which is link-local.
_METADATA = tuple(
    map(
        ip_network,
        (
            "100.100.100.200/32",  # Alibaba
            "168.63.129.16/32",  # Azure
            "192.0.0.192/32",  # Oracle
            "fd00:c1::a9fe:a9fe/128",  # Oracle
            "fd00:ec2::/32",  # Amazon, with its credentials for containers
            "fd00:42::42/128",  # Scaleway
            "fd20:ce::254/128",  # Google
        ),
    )
)
_THIS_NETWORK = ip_network("0.0.0.0/8")
_BROADCAST = ip_address("255.255.255.255")
#: Prefixes of IPv6 addresses that end with an IPv4 address: mapped, compatible, translated, and NAT64.
_PREFIXES = tuple(
    map(IPv6Network, ("::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48"))
)
#: The first half of an interface id that ends with an IPv4 address (ISATAP), without the bit that says whether the
#: address is global.
_ISATAP, _GLOBAL_BIT = 0x0000_5EFE, 0x0200_0000


def kind_of(address: Address) -> Kind:
    """The kind of an address: the worst of the addresses that it stands for."""
    worst_first = list(Kind)
    return min(map(_kind, _meant(address)), key=worst_first.index)


def _kind(address: Address) -> Kind:
    signs = {
        Kind.METADATA: any(address in network for network in _METADATA),
        Kind.LINK_LOCAL: address.is_link_local,
        Kind.UNSPECIFIED: address.is_unspecified or address in _THIS_NETWORK,
        Kind.MULTICAST: address.is_multicast,
        Kind.BROADCAST: address == _BROADCAST,
        Kind.LOOPBACK: address.is_loopback,
        Kind.PRIVATE: not address.is_global or (isinstance(address, IPv6Address) and address.is_site_local),
    }
    return next((kind for kind, is_one in signs.items() if is_one), Kind.PUBLIC)


def _meant(address: Address) -> list[Address]:
    """The addresses that this one stands for: itself, or those within it."""
    if isinstance(address, IPv4Address):
        return [address]
    number = int(address)
    last = IPv4Address(number & 0xFFFF_FFFF)
    if number > 1 and any(address in prefix for prefix in _PREFIXES):  # 0 and 1 are :: and ::1
        return [last]
    if address.sixtofour:
        return [address.sixtofour]
    if address.teredo:
        return [*address.teredo]
    is_isatap = number >> 32 & 0xFFFF_FFFF & ~_GLOBAL_BIT == _ISATAP
    return [address, last] if is_isatap else [address]


@dataclass(frozen=True, slots=True)
class Networks:
    """The addresses that the settings refuse, beside those that are never allowed.

    These are addresses of `kinds`, of `REFUSABLE`, and in the networks `refused`, except those in `allowed`.
    """

    kinds: tuple[Kind, ...] = ()
    refused: tuple[Network, ...] = ()
    allowed: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, refused: Iterable[str], allowed: Iterable[str]) -> Self:
        """From networks, and words in `refused`. Raises `ValueError` with a message that names the bad one."""
        words = [word.strip() for word in refused]
        kinds = tuple(Kind(word) for word in words if word in REFUSABLE)
        networks = tuple(_network(word, *REFUSABLE) for word in words if word not in REFUSABLE)
        exceptions = tuple(_network(word.strip()) for word in allowed)
        for network in exceptions:
            if kind_of(network[0]) in NEVER and kind_of(network[0]) is kind_of(network[-1]):
                raise ValueError(messages.never_allowed(str(network), kind_of(network[0])))
        return cls(kinds, networks, exceptions)

    def allowed_among(self, host: str, addresses: Iterable[str]) -> list[str]:
        """Those of a host's addresses to connect to, in their order. Raises `AddressRefused` if there are none."""
        refusals: list[str] = []
        allowed = []
        for text in dict.fromkeys(addresses):
            address = ip_address(text)
            kind = kind_of(address)
            if kind in NEVER:
                refusals.append(messages.address_refused(host, text, kind))
            elif self._refuses(address, kind):
                refusals.append(messages.address_refused_by_setting(host, text, kind))
            else:
                allowed.append(text)
        if not allowed and refusals:
            raise AddressRefused(refusals[0])
        return allowed

    def _refuses(self, address: Address, kind: Kind) -> bool:
        meant = _meant(address)
        if all(_is_in(inner, self.allowed) for inner in meant):
            return False
        return kind in self.kinds or any(_is_in(inner, self.refused) for inner in (address, *meant))


#: The settings refuse none.
EVERY_NETWORK = Networks()


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _network(text: str, *words: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(messages.not_a_network(text, str(error), words)) from error
