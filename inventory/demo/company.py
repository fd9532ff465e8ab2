"""The company: a book shop with production, staging and operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_ec2.literals import InstanceTypeType

ANYWHERE, ANYWHERE_V6 = "0.0.0.0/0", "::/0"
#: Together the same as `ANYWHERE`, but a check of policies that only looks for that finds nothing.
HALVES_OF_ANYWHERE = "0.0.0.0/1", "128.0.0.0/1"
OPERATIONS = "10.30.0.0/16"
BASTION = "10.30.1.10"
#: Where the company's public addresses come from.
PUBLIC = "54.80.10.0/24"

#: Prefix lists (EC2) and address groups (OpenStack).
ADDRESS_LISTS = {"offices": ["203.0.113.0/26", "203.0.113.128/27", "198.51.100.64/28"]}


@dataclass(frozen=True, slots=True)
class Rule:
    """Allows inbound traffic. `source` is a CIDR, the name of a group in the same network, or that of a list."""

    protocol: str
    first: int
    last: int
    source: str


@dataclass(frozen=True, slots=True)
class Group:
    description: str
    rules: Sequence[Rule]


@dataclass(frozen=True, slots=True)
class Servers:
    """Similar instances, numbered from 1. If they are `public`, the first interface has a public address."""

    role: str
    count: int
    flavor: InstanceTypeType
    groups: Sequence[str]
    interfaces: int = 1
    public: bool = False
    address: str | None = None


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """A service of the cloud, with interfaces that belong to no instance. They have public addresses."""

    name: str
    #: Its id on EC2.
    ref: str
    #: Its interfaces on EC2, one for each zone.
    interfaces: int
    groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class Network:
    name: str
    cidr: str
    groups: Mapping[str, Group]
    servers: Sequence[Servers]
    load_balancers: Sequence[LoadBalancer] = ()
    #: The names of earlier networks that it is peered with (EC2).
    peers: Sequence[str] = ()


def tcp(port: int, *sources: str, last: int | None = None) -> list[Rule]:
    return [Rule("tcp", port, last or port, source) for source in sources]


def udp(port: int, *sources: str) -> list[Rule]:
    return [Rule("udp", port, port, source) for source in sources]


def ping(*sources: str) -> list[Rule]:
    return [Rule("icmp", -1, -1, source) for source in sources]


def everything(*sources: str) -> list[Rule]:
    return [Rule("-1", -1, -1, source) for source in sources]


SHOP = {
    "load-balancer": Group(
        "Where customers come in", tcp(80, ANYWHERE, ANYWHERE_V6) + tcp(443, ANYWHERE, ANYWHERE_V6)
    ),
    "web": Group("The shop's pages", tcp(8080, "load-balancer")),
    "api": Group("The shop's services", tcp(8443, "load-balancer", "web")),
    "workers": Group("Orders and invoices in the background", tcp(9000, "api", last=9010)),
    "db": Group("PostgreSQL", tcp(5432, "api", "workers") + everything("db")),
    "cache": Group("Redis", tcp(6379, "web", "api", "workers")),
    "queue": Group("RabbitMQ", tcp(5671, "api", "workers") + tcp(25672, "queue")),
    "search": Group("OpenSearch", tcp(9200, "api", last=9300) + tcp(9300, "search")),
    "payments": Group("Card payments, kept apart", tcp(8444, "api")),
    "mail": Group("Outgoing mail", tcp(587, "api", "workers")),
    "monitoring": Group("What may be measured from operations", tcp(9100, OPERATIONS) + ping(OPERATIONS)),
    "ssh-from-bastion": Group("Shell access by way of the bastion", tcp(22, f"{BASTION}/32")),
    "ssh-from-office": Group("Shell access from the office, for emergencies", tcp(22, "offices")),
}

PRODUCTION_ONLY = {
    "warehouse": Group("The warehouse's scanners", tcp(8883, "198.51.100.0/26")),
    "reports": Group("Read-only access for the analysts", tcp(5432, "192.0.2.0/28")),
    "backup": Group("Nightly dumps to operations", tcp(873, OPERATIONS)),
    # Honest mistakes: SSH for everybody, and a group that nothing has any more.
    "migration": Group("For the move of the orders in March. Remove afterwards!", tcp(22, ANYWHERE)),
    "old-shop": Group("The shop before the move", tcp(80, ANYWHERE) + tcp(3306, ANYWHERE)),
}

STAGING_ONLY = {
    # Another one: a rule for everybody in two halves.
    "search-support": Group("The support of the search vendor, from wherever", tcp(9200, *HALVES_OF_ANYWHERE)),
}

OPERATIONS_GROUPS = {
    "bastion": Group("The way in for operators", tcp(22, "offices")),
    "vpn": Group("WireGuard", udp(51820, ANYWHERE, ANYWHERE_V6)),
    "monitoring": Group("Prometheus and Grafana", tcp(9090, "bastion") + tcp(3000, "offices")),
    "logs": Group("Logs of all networks", tcp(6514, "10.0.0.0/8") + udp(514, "10.0.0.0/8")),
    "ci": Group("Build runners", tcp(22, "bastion")),
    "registry": Group("Container images", tcp(443, "10.0.0.0/8")),
    "dns": Group("Names inside", tcp(53, "10.0.0.0/8") + udp(53, "10.0.0.0/8")),
    "backup": Group("Where dumps are kept", tcp(873, "10.10.0.0/16")),
}

WATCHED = ("monitoring", "ssh-from-bastion")

#: 43 groups, including the default groups, and 62 instances.
NETWORKS = [
    Network(
        "production",
        "10.10.0.0/16",
        SHOP | PRODUCTION_ONLY,
        [
            Servers("web", 8, "m7g.large", ["web", *WATCHED]),
            Servers("api", 6, "m7g.xlarge", ["api", *WATCHED]),
            Servers("worker", 5, "c7g.xlarge", ["workers", *WATCHED]),
            Servers("db", 3, "r7g.2xlarge", ["db", "reports", "backup", *WATCHED], interfaces=2),
            Servers("cache", 3, "r7g.large", ["cache", *WATCHED]),
            Servers("queue", 3, "m7g.large", ["queue", "warehouse", *WATCHED]),
            Servers("search", 3, "r7g.xlarge", ["search", *WATCHED]),
            Servers("payments", 2, "m7g.large", ["payments", "monitoring"], interfaces=2),
            Servers("mail", 1, "t4g.small", ["mail", *WATCHED]),
            # It was done in March, but is still there. The database takes it for a worker.
            Servers("migration", 1, "m7g.large", ["migration", "workers"], public=True),
        ],
        [LoadBalancer("shop", "50dc6c495c0c9188", 2, ["load-balancer"])],
    ),
    Network(
        "staging",
        "10.20.0.0/16",
        SHOP | STAGING_ONLY,
        [
            Servers("web", 3, "t4g.medium", ["web", *WATCHED]),
            Servers("api", 3, "t4g.medium", ["api", *WATCHED]),
            Servers("worker", 2, "t4g.medium", ["workers", *WATCHED]),
            Servers("db", 1, "t4g.large", ["db", *WATCHED], interfaces=2),
            Servers("cache", 1, "t4g.small", ["cache", *WATCHED]),
            Servers("queue", 1, "t4g.small", ["queue", *WATCHED]),
            Servers("search", 1, "t4g.large", ["search", "search-support", *WATCHED], public=True),
            Servers("payments", 1, "t4g.medium", ["payments", "monitoring"], interfaces=2),
            Servers("mail", 1, "t4g.micro", ["mail", *WATCHED]),
        ],
        [LoadBalancer("shop-staging", "8d20e3a2b1f54c07", 1, ["load-balancer"])],
    ),
    Network(
        "operations",
        OPERATIONS,
        OPERATIONS_GROUPS,
        [
            Servers("bastion", 1, "t4g.micro", ["bastion"], public=True, address=BASTION),
            Servers("vpn", 1, "t4g.small", ["vpn"], interfaces=2, public=True),
            Servers("monitor", 2, "m7g.large", ["monitoring"]),
            Servers("logs", 2, "i4g.large", ["logs"]),
            Servers("ci", 3, "c7g.2xlarge", ["ci"]),
            Servers("registry", 1, "m7g.large", ["registry"]),
            Servers("dns", 2, "t4g.micro", ["dns"]),
            Servers("backup", 1, "m7g.large", ["backup"]),
        ],
        peers=["production", "staging"],
    ),
]
