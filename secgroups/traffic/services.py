"""Services: what a rule lets through besides addresses, as ranges of integers.

A service is a protocol and, where the protocol has them, a port or a type and code. As an integer it has the
protocol's number in the upper 8 bits, and the port, or the type and the code, in the lower 16. So whatever a rule
names is one range: some ports of TCP, a type of ICMP with all its codes, a protocol, or everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, Self

from inventory.drivers.protocols import NAMES, NUMBERS, WITH_PORTS, WITH_TYPES
from secgroups.traffic.ranges import Range

_LAST_DETAIL = 0xFFFF
_LAST_CODE = 0xFF
EVERY_SERVICE: Range = (0, 0xFF << 16 | _LAST_DETAIL)


class Service(NamedTuple):
    """A protocol and ports as the API has them. None means any; of ICMP they are the type and the code."""

    host_protocol: str | None = None
    port: int | None = None
    end_port: int | None = None

    def range(self) -> Range | None:
        """What it stands for; None if that is not known, because the protocol or the ports make no sense."""
        return _range(self)

    def possible_range(self) -> Range:
        """All that it could stand for if it is not known: its protocol at most."""
        if (known := self.range()) is not None:
            return known
        number = _number_of(self.host_protocol or "")
        return EVERY_SERVICE if number is None else whole_protocol(number)

    def _details(self) -> Range | None:
        if self.port is None:
            return (0, _LAST_DETAIL) if self.end_port is None else None
        if self.host_protocol in WITH_TYPES:
            return _icmp(self.port, self.end_port)
        last = self.port if self.end_port is None else self.end_port
        has_ports = self.host_protocol in WITH_PORTS and 0 <= self.port <= last <= _LAST_DETAIL
        return (self.port, last) if has_ports else None

    @classmethod
    def of(cls, services: Range) -> Self | None:
        """The service that is this range; None if no single one is."""
        first, last = services
        if services == EVERY_SERVICE:
            return cls()
        number, start, end = first >> 16, first & _LAST_DETAIL, last & _LAST_DETAIL
        name = NAMES.get(number, str(number))
        if number != last >> 16:
            return None
        if (start, end) == (0, _LAST_DETAIL):
            return cls(name)
        if name not in WITH_TYPES:
            return cls(name, start, end)
        if start == end:
            return cls(name, start >> 8, start & _LAST_CODE)
        is_type = (start & _LAST_CODE, end - start) == (0, _LAST_CODE)
        return cls(name, start >> 8) if is_type else None


@lru_cache(maxsize=4096)  # rules have few services, and each is compared with many
def _range(service: Service) -> Range | None:
    if service.host_protocol is None:
        return EVERY_SERVICE  # clouds ignore ports without a protocol
    number, details = _number_of(service.host_protocol), service._details()
    if number is None or details is None:
        return None
    first, last = details
    return number << 16 | first, number << 16 | last


def whole_protocol(number: int) -> Range:
    return number << 16, number << 16 | _LAST_DETAIL


def protocol_of(services: Range) -> int | None:
    """The number of the only protocol; None if there are several."""
    first, last = services
    return first >> 16 if first >> 16 == last >> 16 else None


def services_in(services: Range) -> Iterator[Service]:
    """The fewest services that together are this range."""
    first, last = services
    if service := Service.of(services):
        yield service
    elif first >> 16 != last >> 16:
        for number in range(first >> 16, (last >> 16) + 1):
            yield from services_in((max(first, number << 16), min(last, number << 16 | _LAST_DETAIL)))
    else:  # of ICMP, whose types and codes are never a range
        for kind in range(first >> 8, (last >> 8) + 1):
            start, end = max(first, kind << 8), min(last, kind << 8 | _LAST_CODE)
            whole = (start, end) == (kind << 8, kind << 8 | _LAST_CODE)
            parts = [(start, end)] if whole else [(code, code) for code in range(start, end + 1)]
            yield from filter(None, map(Service.of, parts))


def _number_of(protocol: str) -> int | None:
    if protocol in NUMBERS:
        return NUMBERS[protocol]
    is_number = protocol.isascii() and protocol.isdigit() and len(protocol) <= len("255")
    return int(protocol) if is_number and int(protocol) <= 0xFF else None


def _icmp(kind: int, code: int | None) -> Range | None:
    if not 0 <= kind <= 0xFF:
        return None
    if code is None:
        return kind << 8, kind << 8 | _LAST_CODE
    return (kind << 8 | code, kind << 8 | code) if 0 <= code <= _LAST_CODE else None
