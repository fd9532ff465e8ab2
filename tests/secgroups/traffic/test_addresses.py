from __future__ import annotations

from ipaddress import ip_address, ip_network, summarize_address_range

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secgroups.traffic.addresses import (
    EVERYWHERE,
    FAMILIES,
    PUBLIC,
    cidrs,
    family_of,
    is_surely_private,
    network,
    networks,
    number_of_cidrs,
    parse_address,
    public_families,
    text_of,
)
from secgroups.traffic.ranges import Ranges

addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


@given(st.lists(addresses, max_size=5))
def test_cidrs_read_back_as_the_same_set(texts: list[str]) -> None:
    there = networks(*texts)
    assert networks(*cidrs(there)) == there
    assert len(set(texts)) == there.size


@given(st.lists(st.tuples(addresses, addresses), max_size=5))
def test_cidrs_are_those_of_the_library(ends: list[tuple[str, str]]) -> None:
    numbers = (sorted(map(parse_address, pair)) for pair in ends)
    there = Ranges.of(*((first, last) for first, last in numbers if family_of(first) == family_of(last)))
    parsed = [[ip_address(text_of(end)) for end in each] for each in there.ranges]
    assert list(cidrs(there)) == [
        str(cidr) for first, last in parsed for cidr in summarize_address_range(first, last)
    ]
    assert number_of_cidrs(there) == len(list(cidrs(there)))


def test_cidrs_are_as_few_as_possible_and_ipv4_comes_first() -> None:
    there = networks("fd00::/65", "10.0.0.0/25", "10.0.0.128/25", "fd00::8000:0:0:0/65", "10.0.1.0")
    assert list(cidrs(there)) == ["10.0.0.0/24", "10.0.1.0/32", "fd00::/64"]


def test_a_cidr_may_have_bits_of_a_host() -> None:
    assert network("10.1.2.3/8") == network("10.0.0.0/8")


@pytest.mark.parametrize(
    "text", ["", "pl-1234", "10.0.0.0/33", "10.0.0", "sg-1", "10.0.0.0/255.0.0.0", "fe80::1%1", "fe80::%1/64"]
)
def test_anything_else_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        network(text)


def test_the_families_never_touch() -> None:
    assert list(cidrs(EVERYWHERE)) == ["0.0.0.0/0", "::/0"]
    assert [family_of(first) for first, _ in EVERYWHERE.ranges] == ["IPV4", "IPV6"]
    assert not FAMILIES["IPV4"] & FAMILIES["IPV6"]


def test_two_halves_of_a_family_are_the_family() -> None:
    assert networks("0.0.0.0/1", "128.0.0.0/1") == FAMILIES["IPV4"]


@pytest.mark.parametrize(
    ("text", "is_public"),
    [
        ("8.8.8.8", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("100.128.0.1", True),
        ("172.32.0.1", True),
        ("192.0.0.8", False),
        ("192.0.0.9", True),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("2a00::1", True),
        ("2001:db8::1", False),
        ("2001:20::1", True),
        ("2001:10::1", False),
        ("fd00::1", False),
        ("fe80::1", False),
        ("::1", False),
        ("4000::1", False),
    ],
)
def test_public_addresses_are_those_of_the_table(text: str, is_public: bool) -> None:
    assert (parse_address(text) in PUBLIC) is is_public


def test_a_network_is_all_its_addresses() -> None:
    there = ip_network("10.0.0.0/29")
    assert Ranges.of(*(network(str(address)) for address in there)) == networks("10.0.0.0/29")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.0/8", True),
        ("10.1.2.0/24", True),
        ("192.168.0.0/16", True),
        ("10.0.0.0/7", False),
        ("10.0.0.0/0", False),
        ("192.168.0.0/15", False),
        ("100.0.0.0/8", False),
        ("8.8.8.8/32", False),
        ("10.of-the-cloud/8", False),
    ],
)
def test_the_usual_private_ranges_are_known_without_parsing(text: str, expected: bool) -> None:
    assert is_surely_private(text) is expected
    if expected:
        assert not networks(text) & PUBLIC


@pytest.mark.parametrize(
    ("addresses", "translated", "families"),
    [
        ([], [], set()),
        (["10.0.0.1", "fd00::1", "fe80::1"], [], set()),
        (["172.16.0.1"], [], set()),
        (["8.8.8.8"], [], {"IPV4"}),
        (["10.0.0.1", "2a00::1"], [], {"IPV6"}),
        (["10.0.0.1", "172.24.4.9"], ["172.24.4.9"], {"IPV4"}),
        (["10.0.0.1"], ["52.0.0.1"], {"IPV4"}),
        (["not an address"], [], set()),
    ],
)
def test_a_port_is_public_by_its_own_addresses_or_by_translated_ones(
    addresses: list[str], translated: list[str], families: set[str]
) -> None:
    assert public_families(addresses, translated) == families
