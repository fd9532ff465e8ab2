"""The rows of `PortAddress`, which triggers keep whoever writes ports."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from inventory.db.addresses import address_bytes
from inventory.models import NetworkPort, PortAddress
from inventory.models.cloud_network import CloudNetwork
from tests import cast

pytestmark = pytest.mark.django_db

OWN, TRANSLATED, PAIR = PortAddress.Kind
#: A row: its kind, and its addresses as text; None if they can't be read.
Row = tuple[str, str | None, str | None]


@pytest.fixture
def network() -> CloudNetwork:
    return cast.network(cast.tenant(cast.provider("acme")), "net")


def port(network: CloudNetwork, ref: str = "eni", **lists: list[Any]) -> NetworkPort:
    return NetworkPort.objects.create(
        provider=network.provider, ems_ref=ref, cloud_network=network, cloud_tenant=network.cloud_tenant, **lists
    )


def rows(port: NetworkPort) -> list[Row]:
    found = PortAddress.objects.filter(network_port=port.pk).order_by("kind", "first", "last")
    return [(row.kind, _text(row.first), _text(row.last)) for row in found]


def _text(stored: Any) -> str | None:
    if stored is None:
        return None
    version, *address = bytes(stored)
    assert len(address) == {4: 4, 6: 16}[version]
    return ip_address(bytes(address)).compressed


def one(kind: str, text: str | None) -> Row:
    return kind, text, text


def test_each_address_of_a_new_port_has_a_row(network: CloudNetwork) -> None:
    made = port(
        network,
        ipaddresses=["10.0.0.5", "fd00::5", "52.0.0.1"],
        public_ipaddresses=["52.0.0.1"],
        allowed_address_pairs=["10.0.0.9", "10.1.2.3/16", "fd00::/64", "128.0.0.0/1"],
    )
    assert set(rows(made)) == {
        one(OWN, "10.0.0.5"),
        one(OWN, "fd00::5"),
        one(TRANSLATED, "52.0.0.1"),
        one(PAIR, "10.0.0.9"),
        (PAIR, "10.1.0.0", "10.1.255.255"),
        (PAIR, "fd00::", "fd00::ffff:ffff:ffff:ffff"),
        (PAIR, "128.0.0.0", "255.255.255.255"),
    }


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({}, []),
        ({"public_ipaddresses": ["52.0.0.1"]}, []),
        ({"ipaddresses": ["10.0.0.5", "10.0.0.5"]}, [one(OWN, "10.0.0.5")] * 2),
        ({"allowed_address_pairs": ["10.0.0.5", "10.0.0.5"]}, [one(PAIR, "10.0.0.5")] * 2),
        (
            {"ipaddresses": ["10.0.0.5"], "allowed_address_pairs": ["10.0.0.5"]},
            [one(OWN, "10.0.0.5"), one(PAIR, "10.0.0.5")],
        ),
        ({"ipaddresses": ["FD00::0:5"]}, [one(OWN, "fd00::5")]),
        ({"ipaddresses": ["::ffff:10.0.0.5"]}, [one(OWN, "::ffff:a00:5")]),
        ({"allowed_address_pairs": ["::/0"]}, [(PAIR, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]),
    ],
)
def test_odd_lists_have_a_row_for_each_entry(
    network: CloudNetwork, lists: dict[str, list[str]], expected: list[Row]
) -> None:
    assert rows(port(network, **lists)) == expected


@pytest.mark.parametrize(
    "junk",
    [
        "", "dhcp", "10.0.0", "10.0.0.256", "10.0.0.1 ", "fe80::1%eth0", "10.0.0.0/33", "10.0.0.0/8/8",
        "10.0.0.0/255.0.0.0", 5, None, {},
    ],
)  # fmt: skip
def test_what_is_no_address_has_a_row_without_one(network: CloudNetwork, junk: Any) -> None:
    made = port(network, ipaddresses=["10.0.0.5", junk], allowed_address_pairs=[junk])
    assert set(rows(made)) == {one(OWN, "10.0.0.5"), one(OWN, None), one(PAIR, None)}


def test_they_follow_every_update(network: CloudNetwork) -> None:
    first, second = (port(network, ref, ipaddresses=["10.0.0.5"]) for ref in ("first", "second"))
    NetworkPort.objects.filter(pk=first.pk).update(ipaddresses=["10.0.0.6", "52.0.0.1"])
    assert rows(first) == [one(OWN, "10.0.0.6"), one(OWN, "52.0.0.1")]
    NetworkPort.objects.filter(pk=first.pk).update(public_ipaddresses=["52.0.0.1"])
    assert rows(first) == [one(OWN, "10.0.0.6"), one(TRANSLATED, "52.0.0.1")]
    NetworkPort.objects.filter(pk=first.pk).update(ipaddresses=[], allowed_address_pairs=["10.0.0.7"])
    assert rows(first) == [one(PAIR, "10.0.0.7")]
    assert rows(second) == [one(OWN, "10.0.0.5")]
    NetworkPort.objects.update(ipaddresses=["10.0.0.8"], allowed_address_pairs=[])
    assert rows(first) == rows(second) == [one(OWN, "10.0.0.8")]


def test_an_update_of_something_else_leaves_the_rows_alone(network: CloudNetwork) -> None:
    made = port(network, ipaddresses=["10.0.0.5"])
    before = list(PortAddress.objects.values_list("pk", flat=True))
    NetworkPort.objects.update(name="renamed", ipaddresses=["10.0.0.5"])
    made.refresh_from_db()
    made.save()
    assert list(PortAddress.objects.values_list("pk", flat=True)) == before


def test_they_go_with_their_port(network: CloudNetwork) -> None:
    gone, stays = (port(network, ref, ipaddresses=["10.0.0.5"]) for ref in ("gone", "stays"))
    NetworkPort.objects.filter(pk=gone.pk).delete()
    assert list(PortAddress.objects.values_list("network_port", flat=True)) == [stays.pk]
    network.provider.delete()
    assert not PortAddress.objects.exists()


def test_bulk_writes_count_as_well(network: CloudNetwork) -> None:
    ports = [
        NetworkPort(provider=network.provider, ems_ref=f"eni-{number}", ipaddresses=[f"10.0.0.{number}"])
        for number in range(3)
    ]
    NetworkPort.objects.bulk_create(ports)
    assert [rows(each) for each in ports] == [[one(OWN, f"10.0.0.{number}")] for number in range(3)]
    for each in ports:
        each.allowed_address_pairs = ["10.1.0.0/16"]
    NetworkPort.objects.bulk_update(ports[:2], ["allowed_address_pairs"])
    assert [len(rows(each)) for each in ports] == [2, 2, 1]


def test_addresses_are_in_the_order_of_their_numbers() -> None:
    texts = ["1.0.0.0", "9.255.255.255", "10.0.0.0", "255.255.255.255", "::", "::1", "fd00::", "ffff::"]
    stored = [address_bytes(ip_network(text)[0]) for text in texts]
    assert stored == sorted(stored)
