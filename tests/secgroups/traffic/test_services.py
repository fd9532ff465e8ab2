from __future__ import annotations

import pytest

from secgroups.traffic.ranges import Ranges
from secgroups.traffic.services import EVERY_SERVICE, Service, services_in

KNOWN = [
    Service(),
    Service("tcp"),
    Service("tcp", 22, 22),
    Service("udp", 0, 65534),
    Service("icmp"),
    Service("icmp", 8),
    Service("icmpv6", 1, 4),
    Service("gre"),
    Service("255"),
]


@pytest.mark.parametrize("service", KNOWN)
def test_a_service_is_one_range_and_reads_back(service: Service) -> None:
    there = service.range()
    assert there
    assert Service.of(there) == service


@pytest.mark.parametrize("service", KNOWN)
def test_everything_has_every_service(service: Service) -> None:
    there = service.range()
    assert there
    assert Ranges((there,)) <= Ranges((EVERY_SERVICE,))


def test_protocols_do_not_overlap() -> None:
    tcp, udp, icmp = (Service(name).range() for name in ("tcp", "udp", "icmp"))
    assert tcp
    assert udp
    assert icmp
    assert not Ranges((tcp,)) & Ranges.of(udp, icmp)


def test_a_port_without_an_end_is_one_port() -> None:
    assert Service("tcp", 22).range() == Service("tcp", 22, 22).range()


def test_all_ports_are_the_protocol() -> None:
    assert Service("tcp", 0, 65535).range() == Service("tcp").range()


def test_a_type_has_all_its_codes() -> None:
    kind, code = Service("icmp", 3).range(), Service("icmp", 3, 4).range()
    assert kind
    assert code
    assert Ranges((code,)) <= Ranges((kind,))
    assert Ranges((kind,)).size == 256


def test_ports_without_a_protocol_are_ignored_as_clouds_do() -> None:
    assert Service(None, 22, 22).range() == EVERY_SERVICE


@pytest.mark.parametrize(
    "service",
    [
        Service("tcpp"),
        Service("256"),
        Service("tcp", 23, 22),
        Service("tcp", None, 22),
        Service("tcp", -1, -1),
        Service("icmp", 256),
        Service("icmp", 8, 256),
        Service("gre", 1, 2),
    ],
)
def test_what_makes_no_sense_is_unknown(service: Service) -> None:
    assert service.range() is None


@pytest.mark.parametrize("services", [(6 << 16, 7 << 16), (1 << 16 | 1, 1 << 16 | 300)])
def test_several_services_are_no_single_one(services: tuple[int, int]) -> None:
    assert Service.of(services) is None


@pytest.mark.parametrize(
    ("services", "parts"),
    [
        (EVERY_SERVICE, [Service()]),
        ((6 << 16 | 80, 7 << 16 | 0xFFFF), [Service("tcp", 80, 65535), Service("cbt")]),
        ((1 << 16 | 0x0300, 1 << 16 | 0x0401), [Service("icmp", 3), Service("icmp", 4, 0), Service("icmp", 4, 1)]),
    ],
)
def test_a_range_is_as_few_services_as_possible(services: tuple[int, int], parts: list[Service]) -> None:
    assert list(services_in(services)) == parts
    assert Ranges.of(*(part.range() or (0, 0) for part in parts)) == Ranges((services,))


def test_what_is_unknown_is_at_most_its_protocol() -> None:
    assert Service("vrrp", 5, 5).possible_range() == Service("vrrp").range()
    assert Service("none such", 5, 5).possible_range() == EVERY_SERVICE
    assert Service("tcp", 5, 5).possible_range() == Service("tcp", 5, 5).range()
