"""Random changes of a real cloud, each previewed over HTTP, then done, and compared with what is read back.

After every few changes the whole cloud is read, which has to show what the inventory had already.

A world is a provider whose inventory was read. Its endpoint counts writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from random import Random
from typing import Any

from django.test import Client

from inventory.models import NetworkPort, Provider, Task, Vm
from inventory.refresh import refresh
from inventory.runner import run_queue
from secgroups.models import SecurityGroup
from tests.clouds import Grip

Answer = dict[str, Any]
Address = IPv4Address | IPv6Address
RANGES = {"IPV4": ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8", "10.1.0.0/16"], "IPV6": ["::/0"]}
SERVICES = [
    {},
    {"host_protocol": "tcp"},
    {"host_protocol": "tcp", "port": 22, "end_port": 22},
    {"host_protocol": "tcp", "port": 20, "end_port": 30},
    {"host_protocol": "udp", "port": 53, "end_port": 53},
]
#: One in each part into which these ranges and services cut the others.
POINTS = list(map(ip_address, ("1.0.0.1", "10.200.0.1", "10.1.255.254", "200.0.0.1", "2001:db8::1")))
SAMPLES = [
    *(("tcp", port) for port in (1, 20, 22, 25, 31, 53, 80, 443, 5432)),
    ("udp", 53),
    ("udp", 54),
    ("icmp", None),
]
#: The whole cloud is read after so many changes.
ROUND = 10


@dataclass
class World:
    """A provider on a live endpoint. `writes` is how many writes its endpoint has seen."""

    client: Client
    provider: Provider
    writes: Callable[[], int]

    def ask(self, path: str, **query: str) -> Answer:
        answer = self.client.get(f"/api/{path}", query)
        assert answer.status_code == 200, answer.content
        found: Answer = answer.json()
        return found

    def send(self, path: str, body: Answer) -> list[Answer]:
        answer = self.client.post(f"/api/{path}", body, content_type="application/json")
        assert answer.status_code in {200, 400}, answer.content
        found: list[Answer] = answer.json()["results"]
        return found


def compare(world: World, random: Random, number: int) -> Counter[str]:
    """Preview and do so many random changes. Returns how many there were of each status."""
    statuses: Counter[str] = Counter()
    read = 0
    while statuses.total() < number:
        kind = random.choices([memberships, new_rules, lost_rules, groups], [6, 3, 2, 1])[0]
        statuses.update(kind(world, random))
        if statuses.total() - read >= ROUND:
            read = statuses.total()
            check_inventory(world)
    check_inventory(world)
    return statuses


def check_inventory(world: World) -> None:
    """Read the whole cloud, which shows what the inventory has already."""
    known = inventory(world)
    refresh(world.provider, Grip(), force=True)
    assert inventory(world) == known


def inventory(world: World) -> Answer:
    """The groups of each port, and the effective rules of each instance and group."""
    ports = NetworkPort.objects.filter(provider=world.provider)
    on_ports = {port.ems_ref: sorted(group.ems_ref for group in port.security_groups.all()) for port in ports}
    paths = [
        *(f"instances/{vm.pk}" for vm in Vm.objects.filter(provider=world.provider)),
        *(f"security_groups/{group.pk}" for group in SecurityGroup.objects.filter(provider=world.provider)),
    ]
    return on_ports | {path: effective_rules(world, path) for path in paths}


def memberships(world: World, random: Random) -> list[str]:
    vm = random.choice(list(Vm.objects.filter(provider=world.provider)))
    refs = list(SecurityGroup.objects.filter(provider=world.provider).values_list("ems_ref", flat=True))
    resources: list[Answer] = [{"ems_ref": random.choice(refs)} for _ in range(random.randint(1, 3))]
    if random.random() < 0.2:
        resources[0]["ports"] = [random.choice(list(vm.network_ports.values_list("ems_ref", flat=True)))]
    body = {"action": random.choice(["add", "remove"]), "resources": resources}
    return checked(world, f"instances/{vm.pk}/security_groups", body, random, f"vms/{vm.pk}", f"instances/{vm.pk}")


def new_rules(world: World, random: Random) -> list[str]:
    group = random.choice(list(SecurityGroup.objects.filter(provider=world.provider)))
    resources: list[Answer] = []
    for _ in range(random.randint(1, 3)):
        family = random.choice(["IPV4", "IPV4", "IPV6"])
        resource = {"direction": random.choice(["inbound", "outbound"]), **random.choice(SERVICES)}
        if random.random() < 0.3:
            others = SecurityGroup.objects.filter(
                provider=world.provider, cloud_network=group.cloud_network, cloud_tenant=group.cloud_tenant
            )
            resource["source_security_group_id"] = random.choice(list(others)).pk
        else:
            resource |= {"network_protocol": family, "source_ip_range": random.choice(RANGES[family])}
        resources.append(resource)
    return edited(world, random, group, {"action": "create", "resources": resources})


def lost_rules(world: World, random: Random) -> list[str]:
    groups = list(SecurityGroup.objects.filter(provider=world.provider, firewall_rules__isnull=False))
    if not groups:
        return new_rules(world, random)
    group = random.choice(groups)
    rules = list(group.firewall_rules.all())
    chosen = random.choices(rules, k=min(len(rules), random.randint(1, 2)))
    resources = [{"id": str(rule.pk)} for rule in chosen]
    return edited(world, random, group, {"action": "delete", "resources": resources})


def edited(world: World, random: Random, group: SecurityGroup, body: Answer) -> list[str]:
    path = f"security_groups/{group.pk}"
    queue = f"security_groups/{world.provider.pk}"
    return checked(world, f"{path}/firewall_rules", body, random, queue, path)


def groups(world: World, random: Random) -> list[str]:
    """A new group of a free name, or the deletion of one that nothing uses."""
    provider = world.provider
    free = [
        group
        for group in SecurityGroup.objects.filter(provider=provider).exclude(name="default")
        if not group.memberships.exists() and not group.rules_that_name_it.exclude(security_group=group).exists()
    ]
    queue = f"security_groups/{provider.pk}"
    if len(free) > 3:
        group = random.choice(free)
        body = {"action": "delete", "resources": [{"id": str(group.pk)}]}
        return checked(world, "security_groups", body, random, queue, None)
    resource: Answer = {"name": f"made-{random.randrange(10**9)}"}
    network = SecurityGroup.objects.filter(provider=provider, cloud_network__isnull=False).first()
    if network:
        resource["cloud_network"] = {"id": str(network.cloud_network_id)}
    path = f"providers/{provider.pk}/security_groups"
    return checked(world, path, {"action": "create", "resources": [resource]}, random, queue, None)


def checked(world: World, path: str, body: Answer, random: Random, queue: str, resource: str | None) -> list[str]:
    """Preview a request, do it, and compare. `resource` is what has the effective rules."""
    before = world.writes(), Task.objects.count()
    dry_run = random.choice([True, "cloud"])
    rules_before = effective_rules(world, resource)
    previewed = world.send(path, body | {"dry_run": dry_run})
    assert (world.writes(), Task.objects.count()) == before, "a preview wrote"

    results = world.send(path, body)
    run_queue(queue)
    assert [(result["success"], result["message"]) for result in previewed] == [
        (result["success"], result["message"]) for result in results
    ]
    for preview, result in zip(previewed, results, strict=True):
        assert not {"task_id", "task_href", "tasks"} & preview.keys()
        if "task_id" in result:
            task = Task.objects.get(pk=result["task_id"])
            assert (preview["preview"]["status"], preview["preview"]["message"]) == (task.status, task.message)
            check_task(preview["preview"], world.ask(f"tasks/{task.pk}"))
        else:
            assert preview["preview"]["status"] == "Error"
    for port in previewed[-1]["preview"]["network_ports"]:
        current = world.ask(f"network_ports/{port['id']}", attributes="security_groups")["security_groups"]
        assert sorted(group["id"] for group in port["after"]) == sorted(group["id"] for group in current)
    if resource:
        check_lines([one["preview"] for one in previewed], rules_before, effective_rules(world, resource))
    return [one["preview"]["status"] for one in previewed]


def check_task(preview: Answer, task: Answer) -> None:
    """A finished task says of the effective rules what its preview said; it knows the ids of new rules."""
    if task["status"] == "Error":
        assert "effective_rules" not in task["context_data"]
        return
    context = task["context_data"]
    told = context["effective_rules"]
    is_new = context["action"] == "create" and "firewall_rule" not in context
    assert told.keys() == {"appear", "disappear"}
    for side, lines in told.items():
        for foreseen, line in zip(preview["effective_rules"][side], lines, strict=True):
            assert foreseen | {"because_of": []} == line | {"because_of": []}
            check_reasons(foreseen["because_of"], line["because_of"], is_new=is_new)


def check_reasons(foreseen: list[Answer], reasons: list[Answer], *, is_new: bool) -> None:
    """The same rules, where those that did not exist have their ids now. Of a new group, a preview has none."""
    known = [reason for reason in foreseen if reason["firewall_rule"]]
    assert all(reason in reasons for reason in known)
    assert is_new or len(foreseen) == len(reasons)
    assert all(reason["firewall_rule"] for reason in reasons)


def effective_rules(world: World, resource: str | None) -> list[Answer]:
    found: list[Answer] = world.ask(resource, attributes="effective_rules")["effective_rules"] if resource else []
    return found


def check_lines(previews: list[Answer], before: list[Answer], after: list[Answer]) -> None:
    """Of one change, exactly the lines that let through something new; of several, what they do together."""
    points = [*POINTS, *ends([*before, *after])]
    passed, passes = opened(before, points), opened(after, points)
    appear, disappear = (
        [line for preview in previews for line in preview["effective_rules"][side]]
        for side in ("appear", "disappear")
    )
    if len(previews) == 1:
        assert keys(appear) == keys(line for line in after if not opened([line], points) <= passed)
        assert keys(disappear) == keys(line for line in before if not opened([line], points) <= passes)
    assert passes - passed <= opened(appear, points)
    assert passed - passes <= opened(disappear, points)
    for preview in previews:
        kinds = {warning["kind"] for warning in preview["warnings"]}
        changes = any(preview["effective_rules"].values())
        assert ("no_effect" in kinds) != changes


def keys(lines: Iterable[Answer]) -> list[tuple[Any, ...]]:
    return sorted(map(key, lines), key=str)


def key(line: Answer) -> tuple[Any, ...]:
    group = line["source_security_group"]
    return (
        line["direction"],
        line["network_protocol"],
        line["host_protocol"],
        line["port"],
        line["end_port"],
        line["source_ip_range"],
        group and group["id"],
        line["source_name"],
        tuple(line["addresses"] or ()),
        tuple(line["network_ports"]),
    )


def opened(lines: Iterable[Answer], points: list[Address]) -> set[tuple[Any, ...]]:
    """What lines let through, at some points: by port, direction, service and address."""
    return {
        (port, line["direction"], service, point)
        for line in lines
        for port in line["network_ports"] or [None]
        for service in services(line)
        for point in points
        if any(point in ip_network(cidr) for cidr in line["addresses"] or ())
    }


def services(line: Answer) -> list[tuple[str, int | None]]:
    protocol, first, last = line["host_protocol"], line["port"], line["end_port"]
    return [
        (name, port)
        for name, port in SAMPLES
        if protocol in (None, name) and (first is None or (port is not None and first <= port <= last))
    ]


def ends(lines: Iterable[Answer]) -> list[Address]:
    """The first and the last address of each range: two members next to each other are one range."""
    found = map(ip_network, sorted({cidr for line in lines for cidr in line["addresses"] or ()}))
    return [end for cidr in found for end in (cidr.network_address, cidr.broadcast_address)]
