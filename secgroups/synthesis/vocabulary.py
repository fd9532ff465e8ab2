"""Names for a synthetic company, and the dialects of its clouds."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from uuid import UUID

ENVIRONMENTS = ("production", "staging")
TEAMS = (
    "platform", "checkout", "catalog", "search", "payments", "identity", "orders", "shipping",
    "warehouse", "pricing", "reviews", "mail", "billing", "fraud", "analytics", "reports",
    "mobile", "content", "media", "support", "partners", "returns", "loyalty", "careers",
)  # fmt: skip
#: The components of services, with the ports that they listen on.
COMPONENTS = (
    ("web", 8080), ("api", 8443), ("db", 5432), ("cache", 6379), ("worker", 9000), ("queue", 5671), ("lb", 443),
    ("search", 9200), ("events", 9092), ("gateway", 8444), ("jobs", 9010), ("files", 2049), ("metrics", 9100),
    ("auth", 8445), ("admin", 8081), ("export", 873), ("feed", 8082), ("proxy", 3128), ("ml", 8500),
    ("grpc", 50051),
)  # fmt: skip
#: Groups of a whole cloud, with their share of instances and the port that they open.
EVERYWHERE = (("monitoring", 0.75, 9100), ("ssh-from-bastion", 0.75, 22))
#: Lists of addresses that rules name, with the number of their entries.
LISTS = (("offices", 3), ("partners", 12))
#: Power states, with the clouds' words for them; few instances are in the last.
STATES = (("on", "running", "ACTIVE"), ("off", "stopped", "SHUTOFF"), ("paused", "pending", "PAUSED"))
STATE_SHARES = (0.93, 0.0695, 0.0005)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The names and ids of one kind of cloud."""

    vendor: str
    url: str
    flavors: tuple[str, ...]
    #: The prefixes of ids by kind; None if ids are UUIDs.
    prefixes: dict[str, str] | None
    port_status: str
    #: What the ports of instances belong to.
    device_owner: str
    mac: tuple[str, int]
    #: Whether a list of addresses has a family, and rules that name it have none.
    lists_have_families: bool = False

    def ref(self, kind: str, rng: Random) -> str:
        """An id in this cloud's format; `kind` is tenant, network, group, rule, instance, port or list."""
        bits = rng.getrandbits(128)
        if self.prefixes is None:
            return str(UUID(int=bits, version=4))
        if kind == "tenant":
            return f"{bits % 10**12:012}"
        return f"{self.prefixes[kind]}-{bits & 0xFFFF_FFFF_FFFF_FFFF:017x}"

    def mac_address(self, rng: Random) -> str:
        prefix, count = self.mac
        return f"{prefix}:{rng.randbytes(count).hex(':')}"


#: These URLs lead nowhere: the domain `invalid` has no hosts (RFC 6761).
AMAZON = Dialect(
    "amazon",
    "https://ec2.synthetic.invalid",
    ("t3.micro", "t3.small", "m5.large", "m5.xlarge", "c5.large", "r5.2xlarge"),
    {"network": "vpc", "group": "sg", "rule": "sgr", "instance": "i", "port": "eni", "list": "pl"},
    "in-use",
    "interface",
    ("06", 5),
    lists_have_families=True,
)
OPENSTACK = Dialect(
    "openstack",
    "https://keystone.synthetic.invalid:5000",
    ("m1.small", "m1.medium", "m1.large", "c1.xlarge"),
    None,
    "ACTIVE",
    "compute:nova",
    ("fa:16:3e", 3),
)
