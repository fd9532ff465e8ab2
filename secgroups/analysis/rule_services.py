"""Firewall rules by the services that they let through, in SQL. It says the same as `Service.range()`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Coalesce

from inventory.drivers.protocols import NAMES, WITH_PORTS, WITH_TYPES
from secgroups.traffic.ranges import Range
from secgroups.traffic.services import EVERY_SERVICE, protocol_of

_ANY_DETAILS = Q(port=None, end_port=None)
#: `with_services` needs rows with this alias.
LAST_PORT = {"last_port": Coalesce("end_port", "port")}


def protocol_asked(services: Range) -> int | None:
    """The number of the only protocol; None if any is asked for."""
    return None if services == EVERY_SERVICE else protocol_of(services)


def details_asked(services: Range) -> dict[str, int]:
    """The first and the last ports, or types and codes, of services as `with_services` takes them."""
    first, last = services[0] & 0xFFFF, services[1] & 0xFFFF
    # Of ICMP, services are one code, one type or all types.
    codes = (first & 0xFF, last & 0xFF) if first >> 8 == last >> 8 else (0, 0xFF)
    return {
        "first_port": first,
        "last_port": last,
        "first_type": first >> 8,
        "last_type": last >> 8,
        "first_code": codes[0],
        "last_code": codes[1],
    }


def with_services(protocol: int | None, details: Mapping[str, Any]) -> Q:
    """The rules that certainly let some services through: all, or some of one protocol.

    The details are those of the services, or params in their place.
    """
    every = Q(host_protocol=None)
    if protocol is None:
        return every | _of_any_protocol()
    name = NAMES.get(protocol, str(protocol))
    return every | _named(name, details) | Q(_ANY_DETAILS, host_protocol__in=list(_numbers(protocol)))


def _of_any_protocol() -> Q:
    plain = [name for name in NAMES.values() if name not in WITH_PORTS | WITH_TYPES]
    numbers = [text for protocol in range(0x100) for text in _numbers(protocol)]
    condition = Q(_ANY_DETAILS, host_protocol__in=[*plain, *numbers])
    for name in sorted(WITH_PORTS | WITH_TYPES):
        condition |= _named(name, details_asked((0, 0xFFFF)))
    return condition


def _named(name: str, details: Mapping[str, Any]) -> Q:
    """The rules of a protocol (its name) with some of these details: ports, or types and codes."""
    if name in WITH_PORTS:
        ports = Q(port__gte=0, port__lte=details["last_port"], last_port__lte=0xFFFF)
        ports &= Q(last_port__gte=details["first_port"]) & Q(last_port__gte=F("port"))
        return Q(host_protocol=name) & (_ANY_DETAILS | ports)
    if name in WITH_TYPES:
        types = Q(port__gte=details["first_type"], port__lte=details["last_type"])
        codes = Q(end_port__gte=details["first_code"], end_port__lte=details["last_code"])
        return Q(host_protocol=name) & (_ANY_DETAILS | types & (Q(end_port=None) | codes))
    return Q(_ANY_DETAILS, host_protocol=name)


def _numbers(protocol: int) -> Iterator[str]:
    """A protocol's number, as clouds may spell it."""
    yield from dict.fromkeys((str(protocol), f"{protocol:02}", f"{protocol:03}"))
