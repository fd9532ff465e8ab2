"""Firewall rules by the services that they let through, in SQL. It says the same as `Service.range()`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from django.db.models import F, Q
from django.db.models.functions import Coalesce

from inventory.drivers.protocols import NAMES, WITH_PORTS, WITH_TYPES
from secgroups.traffic.ranges import Range
from secgroups.traffic.services import EVERY_SERVICE, protocol_of

_ANY_DETAILS = Q(port=None, end_port=None)
#: `with_services` needs rows with this alias.
LAST_PORT = {"last_port": Coalesce("end_port", "port")}


@lru_cache(maxsize=256)
def with_services(services: Range) -> Q:
    """The rules that certainly let some of these services through: all, or some of one protocol."""
    every = Q(host_protocol=None)
    protocol = protocol_of(services)
    if services == EVERY_SERVICE or protocol is None:
        return every | _of_any_protocol()
    first, last = services[0] & 0xFFFF, services[1] & 0xFFFF
    name = NAMES.get(protocol, str(protocol))
    return every | _named(name, first, last) | Q(_ANY_DETAILS, host_protocol__in=list(_numbers(protocol)))


def _of_any_protocol() -> Q:
    plain = [name for name in NAMES.values() if name not in WITH_PORTS | WITH_TYPES]
    numbers = [text for protocol in range(0x100) for text in _numbers(protocol)]
    condition = Q(_ANY_DETAILS, host_protocol__in=[*plain, *numbers])
    for name in sorted(WITH_PORTS | WITH_TYPES):
        condition |= _named(name, 0, 0xFFFF)
    return condition


def _named(name: str, first: int, last: int) -> Q:
    """The rules of a protocol (its name) with some of these details: ports, or types and codes."""
    if name in WITH_PORTS:
        ports = Q(port__gte=0, port__lte=last, last_port__gte=first, last_port__lte=0xFFFF)
        return Q(host_protocol=name) & (_ANY_DETAILS | ports & Q(last_port__gte=F("port")))
    if name in WITH_TYPES:
        # These services are one code, one type or all types.
        types = Q(port__gte=first >> 8, port__lte=last >> 8)
        codes = (first & 0xFF, last & 0xFF) if first >> 8 == last >> 8 else (0, 0xFF)
        some_codes = Q(end_port=None) | Q(end_port__gte=codes[0], end_port__lte=codes[1])
        return Q(host_protocol=name) & (_ANY_DETAILS | types & some_codes)
    return Q(_ANY_DETAILS, host_protocol=name)


def _numbers(protocol: int) -> Iterator[str]:
    """A protocol's number, as clouds may spell it."""
    yield from dict.fromkeys((str(protocol), f"{protocol:02}", f"{protocol:03}"))
