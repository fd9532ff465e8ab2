"""The address of a client, as trusted proxies tell it."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from inventory.proxies import Proxies, peer_address

CLIENT, PROXY = "203.0.113.9", "10.0.0.1"
PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")])


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        (CLIENT, CLIENT),
        (f" {CLIENT} ", CLIENT),
        (f"{CLIENT}:51234", CLIENT),
        (f"::ffff:{CLIENT}", CLIENT),
        (f"[::ffff:{CLIENT}]:51234", CLIENT),
        ("2001:DB8::0:9", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("[2001:db8::9]:51234", "2001:db8::9"),
        # A chain of proxies, all of them trusted.
        (f"{CLIENT}, 10.1.1.1,10.2.2.2:80", CLIENT),
        (f"{CLIENT}, 2001:db8:1::2, ::ffff:10.2.2.2", CLIENT),
        # A proxy that is not trusted is the client.
        (f"{CLIENT}, 198.51.100.7, 10.1.1.1", "198.51.100.7"),
        # What the client sent itself stands before its address.
        (f"127.0.0.1, {CLIENT}", CLIENT),
        (f"10.9.9.9, unknown,, {CLIENT}", CLIENT),
        # Somebody on the host of a proxy.
        ("10.9.9.9", "10.9.9.9"),
        ("10.9.9.9, 10.1.1.1", "10.9.9.9"),
        # Without a header that can be read, whoever sent it.
        (None, PROXY),
        ("", PROXY),
        (",", PROXY),
        ("unknown", PROXY),
        (f"{CLIENT}, _hidden", PROXY),
        (f"{CLIENT}, unknown, 10.1.1.1", "10.1.1.1"),
        ("[203.0.113.9", PROXY),
        ("203.0.113.9:http", PROXY),
        ("203.0.113.009", PROXY),
        ("203.0.113.9/32", PROXY),
        ("9" * 10_000, PROXY),
        ("," * 10_000, PROXY),
    ],
)
def test_the_client_is_the_last_who_is_no_trusted_proxy(forwarded_for: str | None, client: str) -> None:
    assert str(PROXIES.client(peer_address(PROXY), forwarded_for)) == client


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.255.0.1", True),
        ("::ffff:10.255.0.1", True),  # of a socket for both families
        ("2001:db8:1::1", True),
        ("localhost", True),  # of a Unix socket
        ("192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("2001:db8:2::1", False),
    ],
)
def test_a_peer_is_trusted_by_its_address(address: str, trusted: bool) -> None:
    assert PROXIES.include(peer_address(address)) is trusted


def test_a_client_on_a_unix_socket_is_unknown_without_a_header() -> None:
    """Not this host, which may read `/metrics`: a proxy that sets no header would let everybody."""
    assert PROXIES.client(peer_address("localhost"), None) is None
    assert str(PROXIES.client(peer_address("localhost"), CLIENT)) == CLIENT


def test_everybody_is_trusted_for_the_address_that_they_append_alone() -> None:
    """If all were proxies, the client would be what anybody wrote at the beginning of the list."""
    proxies = Proxies([], everybody=True)
    assert proxies.include(peer_address("192.0.2.1"))
    assert str(proxies.client(peer_address("192.0.2.1"), f"127.0.0.1, {CLIENT}")) == CLIENT
