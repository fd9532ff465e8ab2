"""A large account, for what must not grow with it."""

from __future__ import annotations

from inventory.drivers.values import Group, Instance, Inventory, Network, Port, Rule, Tenant

#: How many the bench has; a fifth as many groups, twice as many rules.
INSTANCES = 10_000


def inventory(instances: int, groups: int, rules: int, each: int = 3) -> Inventory:
    """So many of each; every instance has a port with `each` groups, at most three."""
    return Inventory(
        tenants=(Tenant("t-1", "tenant"),),
        networks=(Network("n-1", "network", "10.0.0.0/8", "t-1"),),
        groups=tuple(Group(f"sg-{number}", f"group-{number}", "a group", "t-1") for number in range(groups)),
        rules=tuple(
            Rule(f"r-{n}", f"sg-{n % groups}", "inbound", "IPV4", "tcp", n % 65535, n % 65535, "10.0.0.0/8")
            for n in range(rules)
        ),
        instances=tuple(
            Instance(f"i-{number}", f"instance-{number}", "on", "ACTIVE", "t-1") for number in range(instances)
        ),
        ports=tuple(
            Port(
                f"p-{number}",
                instance_ref=f"i-{number}",
                tenant_ref="t-1",
                network_ref="n-1",
                ip_addresses=(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",),
                group_refs=tuple(f"sg-{(number + step) % groups}" for step in (0, 7, 70)[:each]),
            )
            for number in range(instances)
        ),
    )
