"""The one spelling of protocols."""

from __future__ import annotations

import socket

import pytest

from inventory.drivers.protocols import NUMBERS, protocol_named
from inventory.drivers.values import Rule


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("6", "tcp"),
        ("TCP", "tcp"),
        (" udp ", "udp"),
        ("17", "udp"),
        ("1", "icmp"),
        ("58", "icmpv6"),
        ("ipv6-icmp", "icmpv6"),
        ("IPv6-ICMP", "icmpv6"),
        ("icmpv6", "icmpv6"),
        ("112", "vrrp"),
        ("006", "tcp"),
        ("50", "esp"),
        ("47", "gre"),
        ("132", "sctp"),
        ("89", "ospfigp"),
        ("ospf", "ospfigp"),
        ("0", "hopopt"),
        ("61", "61"),
        ("253", "253"),
        ("9" * 5000, "9" * 5000),
        ("²", "²"),
        ("unheard-of", "unheard-of"),
        ("any", None),
        ("ALL", None),
        ("-1", None),
        ("", ""),
        (None, None),
    ],
)
def test_a_protocol_has_one_name(said: str | None, name: str | None) -> None:
    assert protocol_named(said) == name
    assert Rule("r", "g", "inbound", host_protocol=said).host_protocol == name


def test_a_name_stands_for_itself_and_for_its_number() -> None:
    for name, number in NUMBERS.items():
        assert protocol_named(name) == protocol_named(str(number)) == name


@pytest.mark.parametrize(
    "name", ["icmp", "igmp", "tcp", "udp", "egp", "gre", "esp", "ah", "icmpv6", "pim", "sctp"]
)
def test_the_numbers_are_those_of_the_host(name: str) -> None:
    assert NUMBERS[name] == getattr(socket, f"IPPROTO_{name.upper()}")
