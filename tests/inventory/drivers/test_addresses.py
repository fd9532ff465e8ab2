"""Which addresses are connected to: by their kind, whatever they are wrapped in, and as the settings say."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from inventory.drivers.addresses import EVERY_NETWORK, NEVER, Kind, Networks, kind_of
from inventory.drivers.exceptions import AddressRefused, CloudRefused


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("169.254.169.254", Kind.LINK_LOCAL),
        ("169.254.170.2", Kind.LINK_LOCAL),
        ("fe80::a9fe:a9fe", Kind.LINK_LOCAL),
        ("fe80::1%eth0", Kind.LINK_LOCAL),
        ("febf::1", Kind.LINK_LOCAL),
        ("100.100.100.200", Kind.METADATA),
        ("168.63.129.16", Kind.METADATA),
        ("192.0.0.192", Kind.METADATA),
        ("fd00:ec2::254", Kind.METADATA),
        ("fd00:ec2::23", Kind.METADATA),
        ("fd20:ce::254", Kind.METADATA),
        ("fd00:c1::a9fe:a9fe", Kind.METADATA),
        ("0.0.0.0", Kind.UNSPECIFIED),  # noqa: S104 - not listened on
        ("0.1.2.3", Kind.UNSPECIFIED),
        ("::", Kind.UNSPECIFIED),
        ("224.0.0.1", Kind.MULTICAST),
        ("ff02::1", Kind.MULTICAST),
        ("255.255.255.255", Kind.BROADCAST),
        ("127.0.0.1", Kind.LOOPBACK),
        ("127.255.0.9", Kind.LOOPBACK),
        ("::1", Kind.LOOPBACK),
        ("10.0.0.1", Kind.PRIVATE),
        ("172.31.0.1", Kind.PRIVATE),
        ("192.168.1.1", Kind.PRIVATE),
        ("100.64.0.1", Kind.PRIVATE),
        ("198.18.0.1", Kind.PRIVATE),
        ("240.0.0.1", Kind.PRIVATE),
        ("fd12:3456::1", Kind.PRIVATE),
        ("fec0::1", Kind.PRIVATE),
        ("8.8.8.8", Kind.PUBLIC),
        ("172.32.0.1", Kind.PUBLIC),
        ("2606:4700::1111", Kind.PUBLIC),
    ],
)
def test_each_kind_is_known(address: str, kind: Kind) -> None:
    assert kind_of(ip_address(address)) is kind


#: How an IPv4 address is written into an IPv6 address.
WRAPPINGS = {
    "mapped": "::ffff:{0}",
    "compatible": "::{0}",
    "translated": "::ffff:0:{0}",
    "NAT64": "64:ff9b::{0}",
    "local NAT64": "64:ff9b:1::{0}",
    "ISATAP": "2606:4700::5efe:{0}",
    "global ISATAP": "2606:4700::200:5efe:{0}",
    "6to4": "2002:{1:x}:{2:x}::1",
    "the server of Teredo": "2001:0:{1:x}:{2:x}::",
    "the client of Teredo": "2001:0:808:808:0:0:{3:x}:{4:x}",
}


def wrapped(address: str, way: str) -> str:
    high, low = divmod(int(ip_address(address)), 0x1_0000)
    return WRAPPINGS[way].format(address, high, low, high ^ 0xFFFF, low ^ 0xFFFF)


@pytest.mark.parametrize("way", WRAPPINGS)
@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("169.254.169.254", Kind.LINK_LOCAL),
        ("100.100.100.200", Kind.METADATA),
        ("224.0.0.1", Kind.MULTICAST),
        ("255.255.255.255", Kind.BROADCAST),
        ("127.0.0.1", Kind.LOOPBACK),
        ("10.0.0.1", Kind.PRIVATE),
        ("8.8.8.8", Kind.PUBLIC),
    ],
)
def test_an_ipv4_address_within_an_ipv6_address_decides(way: str, address: str, kind: Kind) -> None:
    if way == "the server of Teredo":  # whose client is 255.255.255.255 here
        kind = min(kind, Kind.BROADCAST, key=[*Kind].index)
    assert kind_of(ip_address(wrapped(address, way))) is kind


@pytest.mark.parametrize("kind", sorted(NEVER))
def test_some_kinds_are_refused_whatever_the_settings_say(kind: Kind) -> None:
    example = {
        Kind.METADATA: "100.100.100.200",
        Kind.LINK_LOCAL: "169.254.169.254",
        Kind.UNSPECIFIED: "0.0.0.0",  # noqa: S104 - not listened on
        Kind.MULTICAST: "224.0.0.1",
        Kind.BROADCAST: "255.255.255.255",
    }[kind]
    open_wide = Networks.parse([], ["0.0.0.0/0", "::/0"])
    with pytest.raises(AddressRefused) as refused:
        open_wide.allowed_among("cloud.example.org", [example])
    assert str(refused.value) == (
        f"cloud.example.org resolves to {example}, which is "
        f"{'an' if kind == 'unspecified' else 'a'} {kind} address. Portcullis never connects to those."
    )
    assert isinstance(refused.value, CloudRefused)
    assert refused.value.permanent


def test_loopback_and_private_addresses_are_allowed_by_default() -> None:
    addresses = ["127.0.0.1", "::1", "10.0.0.1", "fd12::1", "8.8.8.8"]
    assert EVERY_NETWORK.allowed_among("cloud", addresses) == addresses


@pytest.mark.parametrize(
    ("refused", "allowed", "address", "is_allowed"),
    [
        (["loopback"], [], "127.0.0.1", False),
        (["loopback"], [], "::ffff:127.0.0.1", False),
        (["loopback"], [], "10.0.0.1", True),
        (["private"], [], "10.0.0.1", False),
        (["private"], [], "127.0.0.1", True),
        ([" loopback", " private "], [], "fd12::1", False),
        (["203.0.113.0/24"], [], "203.0.113.9", False),
        (["203.0.113.0/24"], [], "64:ff9b::203.0.113.9", False),
        (["2001:db8::/32"], [], "2001:db8::1", False),
        (["64:ff9b::/96"], [], "64:ff9b::8.8.8.8", False),
        (["203.0.113.9"], [], "203.0.113.8", True),
        (["private"], ["10.1.0.0/16"], "10.1.2.3", True),
        (["private"], ["10.1.0.0/16"], "::ffff:10.1.2.3", True),
        (["private"], ["10.1.0.0/16"], "10.2.2.3", False),
        (["0.0.0.0/0", "::/0"], ["10.1.0.0/16"], "8.8.8.8", False),
        (["0.0.0.0/0", "::/0"], ["10.1.0.0/16"], "10.1.0.1", True),
    ],
)
def test_settings_refuse_others(refused: list[str], allowed: list[str], address: str, is_allowed: bool) -> None:
    networks = Networks.parse(refused, allowed)
    if is_allowed:
        assert networks.allowed_among("cloud", [address]) == [address]
        return
    with pytest.raises(AddressRefused, match="CLOUD_REFUSED_NETWORKS and CLOUD_ALLOWED_NETWORKS do not allow it"):
        networks.allowed_among("cloud", [address])


def test_of_several_addresses_the_allowed_ones_are_left_in_their_order() -> None:
    addresses = ["10.0.0.2", "fe80::1%eth0", "10.0.0.1", "169.254.169.254", "10.0.0.2"]
    assert EVERY_NETWORK.allowed_among("cloud", addresses) == ["10.0.0.2", "10.0.0.1"]


def test_an_address_is_no_name_that_resolves() -> None:
    with pytest.raises(AddressRefused, match=r"^169\.254\.169\.254 is a link-local address\."):
        EVERY_NETWORK.allowed_among("169.254.169.254", ["169.254.169.254"])


@pytest.mark.parametrize(
    ("refused", "allowed", "message"),
    [
        (["private", "intranet"], [], "intranet is not a network .*, or loopback, or private"),
        (["10.0.0.1/8"], [], r"10\.0\.0\.1/8 is not a network \(.*has host bits set\)"),
        ([""], [], "is not a network"),
        ([], ["private"], "private is not a network"),
        ([], ["169.254.169.254"], "can't be allowed: Portcullis never connects to link-local addresses"),
        ([], ["fd00:ec2::/32"], "can't be allowed: Portcullis never connects to metadata addresses"),
    ],
)
def test_a_bad_setting_is_told(refused: list[str], allowed: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Networks.parse(refused, allowed)
