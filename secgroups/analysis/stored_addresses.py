"""Sets of addresses as the table of port addresses has them (`inventory.models.PortAddress`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Q, QuerySet

from inventory.db.addresses import address_bytes
from inventory.models import PortAddress
from secgroups.traffic.addresses import IPV6, as_ip
from secgroups.traffic.ranges import Range, Ranges

#: Addresses that a member of a group has itself. A translated one is not what a rule means.
THEMSELVES = (PortAddress.Kind.OWN, PortAddress.Kind.PAIR)


def stored(address: int) -> bytes:
    return address_bytes(as_ip(address))


def _number(address: Any) -> int:
    version, *_ = address = bytes(address)  # a memoryview on PostgreSQL
    return (IPV6 if version == 6 else 0) | int.from_bytes(address[1:], "big")


def within(addresses: Ranges) -> Q:
    """The rows whose first address is among these."""
    single, several = _apart(addresses)
    condition = Q(first__in=single) if single else Q(pk__in=())
    for first, last in several:
        condition |= Q(first__gte=stored(first), first__lte=stored(last))
    return condition


def having(addresses: Ranges) -> QuerySet[PortAddress, Any]:
    """The ids of the ports that have some of these addresses themselves: as a query, since they may be many."""
    condition = within(addresses)
    for first, _ in addresses.ranges:
        firsts = [stored(each) for each in sorted(set(_beginnings(first)))]
        condition |= Q(kind=PortAddress.Kind.PAIR, first__in=firsts, last__gte=stored(first))
    return PortAddress.objects.filter(condition, kind__in=THEMSELVES).values("network_port")


def overlapping(addresses: Ranges) -> Q:
    """The rows that may have some of these addresses, and few others: pairs begin before what they have."""
    firsts = {stored(first) for each in addresses.ranges for first in _beginnings(each[0])}
    return within(addresses) | Q(kind=PortAddress.Kind.PAIR, first__in=sorted(firsts))


def _apart(addresses: Ranges) -> tuple[list[bytes], list[Range]]:
    """The addresses that stand alone, and the ranges of several."""
    single = [stored(first) for first, last in addresses.ranges if first == last]
    return single, [each for each in addresses.ranges if each[0] != each[1]]


def _beginnings(address: int) -> Iterator[int]:
    """The first address of each CIDR that has an address."""
    for bits in range((128 if address & IPV6 else 32) + 1):
        yield address >> bits << bits


def holding(addresses: Ranges) -> Mapping[int, list[Range]]:
    """The ports (ids) that have some of these addresses themselves, with what they have of them."""
    rows = PortAddress.objects.filter(overlapping(addresses), kind__in=THEMSELVES, first__isnull=False)
    ports: defaultdict[int, list[Range]] = defaultdict(list)
    for port, first, last in rows.values_list("network_port", "first", "last"):
        if parts := list(addresses.within((_number(first), _number(last)))):
            ports[port] += parts
    return ports
