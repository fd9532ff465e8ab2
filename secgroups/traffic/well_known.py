"""The services that matter when they are open to the public, by their usual ports.

The names are IANA's, or those that the service is known by. What each one is for decides how bad it is:

    control     whoever gets in commands the machine, or a whole cluster
    data        whoever gets in reads or changes what is stored
    published   made to be open to everybody
    internal    anything else
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from inventory.drivers.protocols import NAMES
from secgroups.traffic.ranges import Range
from secgroups.traffic.services import Service

Purpose = Literal["control", "data", "internal", "published"]


class WellKnown(NamedTuple):
    """A service by the name in `exposures`."""

    name: str
    purpose: Purpose


_CONTROL: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "ssh": {"tcp": (22,)},
    "telnet": {"tcp": (23,)},
    "msrpc": {"tcp": (135,)},
    "smb": {"tcp": (139, 445)},
    "rexec": {"tcp": (512,)},
    "rlogin": {"tcp": (513,)},
    "rsh": {"tcp": (514,)},
    "ipmi": {"udp": (623,)},
    "docker": {"tcp": (2375, 2376)},
    "etcd": {"tcp": (2379, 2380)},
    "rdp": {"tcp": (3389,), "udp": (3389,)},
    "vnc": {"tcp": tuple(range(5900, 5910))},
    "winrm": {"tcp": (5985, 5986)},
    "x11": {"tcp": tuple(range(6000, 6010))},
    "kubernetes": {"tcp": (6443,)},
    "consul": {"tcp": (8500, 8501)},
    "kubelet": {"tcp": (10250, 10255)},
}
_DATA: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "ftp": {"tcp": (20, 21)},
    "tftp": {"udp": (69,)},
    "kerberos": {"tcp": (88,), "udp": (88,)},
    "snmp": {"udp": (161,)},
    "ldap": {"tcp": (389, 636), "udp": (389,)},
    "rsync": {"tcp": (873,)},
    "mssql": {"tcp": (1433,), "udp": (1434,)},
    "oracle": {"tcp": (1521, 2483, 2484)},
    "nfs": {"tcp": (2049,), "udp": (2049,)},
    "zookeeper": {"tcp": (2181,)},
    "mysql": {"tcp": (3306, 33060)},
    "postgresql": {"tcp": (5432,)},
    "kibana": {"tcp": (5601,)},
    "amqp": {"tcp": (5671, 5672)},
    "couchdb": {"tcp": (5984,)},
    "redis": {"tcp": (6379,)},
    "cassandra": {"tcp": (7000, 7001, 7199, 9042, 9160)},
    "neo4j": {"tcp": (7473, 7474, 7687)},
    "influxdb": {"tcp": (8086,)},
    "clickhouse": {"tcp": (8123,)},
    "kafka": {"tcp": (9092,)},
    "elasticsearch": {"tcp": (9200, 9300)},
    "memcached": {"tcp": (11211,), "udp": (11211,)},
    "rabbitmq": {"tcp": (15672,)},
    "mongodb": {"tcp": (27017, 27018, 27019)},
}
_PUBLISHED: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "smtp": {"tcp": (25,)},
    "domain": {"tcp": (53,), "udp": (53,)},
    "http": {"tcp": (80,)},
    "ntp": {"udp": (123,)},
    "https": {"tcp": (443,), "udp": (443,)},
    "submission": {"tcp": (465, 587)},
    "domain-s": {"tcp": (853,)},
    "imaps": {"tcp": (993,)},
    "pop3s": {"tcp": (995,)},
    "isakmp": {"udp": (500,)},
    "ipsec-nat-t": {"udp": (4500,)},
    "openvpn": {"tcp": (1194,), "udp": (1194,)},
    "wireguard": {"udp": (51820,)},
}


def _by_number() -> Iterator[tuple[int, WellKnown]]:
    tables: tuple[tuple[Purpose, Mapping[str, Mapping[str, tuple[int, ...]]]], ...] = (
        ("control", _CONTROL),
        ("data", _DATA),
        ("published", _PUBLISHED),
    )
    for purpose, table in tables:
        for name, protocols in table.items():
            for protocol, ports in protocols.items():
                for port in ports:
                    if services := Service(protocol, port, port).range():
                        yield services[0], WellKnown(name, purpose)


_SERVICES: Mapping[int, WellKnown] = dict(sorted(_by_number()))
_NUMBERS = list(_SERVICES)
#: What has no ports and is meant for everybody: reports of errors, echoes, and encrypted tunnels.
_WITHOUT_PORTS: Mapping[str, Purpose] = {
    "icmp": "published",
    "icmpv6": "published",
    "esp": "published",
    "ah": "published",
}


def name_of(service: Service) -> str | None:
    """The well-known name of a service of one port; None for several ports and for others."""
    services = service.range()
    if services is None or services[0] != services[1] or service.port is None:
        return None
    known = _SERVICES.get(services[0])
    return known.name if known else None


def purposes_in(services: Range) -> set[Purpose]:
    """What the services of one protocol are for."""
    first, last = services
    if purpose := _WITHOUT_PORTS.get(NAMES.get(first >> 16, "")):
        return {purpose}
    known = _NUMBERS[bisect_left(_NUMBERS, first) : bisect_right(_NUMBERS, last)]
    found: set[Purpose] = {_SERVICES[number].purpose for number in known}
    # Some of these services may be anything.
    return found if len(known) == last - first + 1 else found | {"internal"}
