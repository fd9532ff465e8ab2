"""The documented reads, and how PostgreSQL carries out what they ask it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inventory.models import EventStream, NetworkPort, PortAddress, Vm
from inventory.rest.resources import Costly, get_resource_type
from secgroups.models import Exposure, FirewallRule, Membership, PublicPort, SecurityGroup

#: The models of the tables that grow with the inventory.
LARGE = (
    Vm,
    NetworkPort,
    PortAddress,
    PublicPort,
    Membership,
    FirewallRule,
    SecurityGroup,
    Exposure,
    EventStream,
)

#: What a person expects to be quick: the attributes of each collection that have an index.
INDEXED: Mapping[str, tuple[str, ...]] = {
    "providers": ("id", "name", "guid"),
    "cloud_tenants": ("id", "name", "ems_ref", "ems_id"),
    "cloud_networks": ("id", "name", "ems_ref", "ems_id", "cloud_tenant_id"),
    "instances": ("id", "name", "guid", "ems_ref", "uid_ems", "cloud_tenant_id", "ems_id"),
    "vms": (),
    "network_ports": (
        "id", "name", "ems_ref", "ems_id", "device_id", "cloud_tenant_id", "cloud_network_id", "mac_address",
    ),
    "security_groups": ("id", "name", "ems_ref", "ems_id", "cloud_tenant_id", "cloud_network_id"),
    "firewall_rules": (
        "id", "ems_ref", "resource_id", "source_ip_range", "source_security_group_id", "source_address_list_id",
    ),
    "address_lists": ("id", "name", "ems_ref", "ems_id", "cloud_tenant_id"),
    "exposures": ("id", "ems_id", "security_group_id"),
    "event_streams": (
        "id", "event_type", "username", "request_id", "ems_id", "vm_or_template_id", "security_group_id",
        "task_id",
    ),
}  # fmt: skip
#: Other filters, most of them by what is related, as they stand in a URL; in braces are attributes of a row.
FILTERS = {
    "instances": (
        "power_state=paused",
        "security_groups.name='{security_groups[name]}'",
        "security_groups.id={security_groups[id]}",
        "cloud_tenant.name='{cloud_tenants[name]}'",
        "ext_management_system.name='{providers[name]}'",
        "network_ports.mac_address='{network_ports[mac_address]}'",
    ),
    "security_groups": (
        "vms.name='{vms[name]}'",
        "vms.id={vms[id]}",
        "cloud_tenant.name='{cloud_tenants[name]}'",
        "network_ports.ems_ref='{network_ports[ems_ref]}'",
        "firewall_rules.source_ip_range='{firewall_rules[source_ip_range]}'",
    ),
    "network_ports": (
        "device.name='{vms[name]}'",
        "security_groups.name='{security_groups[name]}'",
        "cloud_network.name='{cloud_networks[name]}'",
    ),
    "firewall_rules": (
        "security_group.name='{security_groups[name]}'",
        "source_security_group.name='{security_groups[name]}'",
        "source_address_list.name='{address_lists[name]}'",
    ),
    "cloud_tenants": ("instances.name='{vms[name]}'", "security_groups.name='{security_groups[name]}'"),
    "cloud_networks": ("security_groups.name='{security_groups[name]}'",),
    "providers": ("instances.name='{vms[name]}'", "security_groups.name='{security_groups[name]}'"),
}
PAGE = "limit=20&expand=resources"
#: What these have is not little, however it is read.
OWNERS = {"providers", "cloud_tenants", "cloud_networks"}
#: The first groups are those on half of all instances.
BEYOND_LARGEST = {
    "security_groups": "&filter[]=id>={security_groups[id]}",
    "exposures": "&filter[]=security_group_id={exposures[security_group_id]}",
}


def reads() -> Iterator[str]:
    """The URLs of the documented reads, below `/api/`; in braces are attributes of a row of each collection."""
    for collection in INDEXED:
        yield from _shapes(collection)
        yield from _filters(collection)


def _shapes(collection: str) -> Iterator[str]:
    """Pages and one resource, with everything that can be asked for beside them."""
    resource_type = get_resource_type(collection)
    one, beyond = f"{collection}/{{{collection}[id]}}", BEYOND_LARGEST.get(collection, "")
    yield f"{collection}?limit=20"
    yield f"{collection}?{PAGE}&offset=100"
    yield one
    for name in resource_type.subcollections:
        yield f"{one}/{name}?limit=20"
        yield f"{one}/{name}?{PAGE}"
        if collection not in OWNERS:
            yield f"{collection}?{PAGE},{name}{beyond}"
    # Effective rules read the members of the groups that rules name, up to a bound: `docs/performance.md`.
    computed = (name for name, each in resource_type.computed.items() if not isinstance(each, Costly))
    for name in (*computed, *resource_type.relations):
        if collection not in OWNERS:
            yield f"{one}?attributes={name}"
            yield f"{collection}?{PAGE}&attributes={name}{beyond}"


def _filters(collection: str) -> Iterator[str]:
    """By each indexed attribute, in both languages of filters, and sorted by it."""
    for name in INDEXED.get(collection, ()):
        value = f"{{{collection}[{name}]}}"
        yield f"{collection}?{PAGE}&filter[]={name}='{value}'"
        yield f"{collection}?{PAGE}&filter[]={name}=['{value}']"
        yield f"{collection}?{PAGE}&{name}={value}"
        if name == "id" or name.endswith("_id"):
            continue
        if name != "guid":
            yield f"{collection}?{PAGE}&filter[]={name}='{value[:-1]}:.13}}*'"
    if "name" in INDEXED.get(collection, ()):
        name = f"{{{collection}[name]}}"
        yield f"{collection}?{PAGE}&sort_by=name"
        yield f"{collection}?{PAGE}&sort_by=name&filter[]=name>='{name}'"
    for written in FILTERS.get(collection, ()):
        yield f"{collection}?{PAGE}&filter[]={written}"


def statements(client: Client, url: str) -> list[str]:
    """The SELECTs that one GET runs, but for the counts of whole collections."""
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url)
    assert answer.status_code == 200, answer.content
    asked = [query["sql"] for query in queries]
    return [sql for sql in asked if _is_read(sql)]


def _is_read(sql: str) -> bool:
    return sql.startswith("SELECT") and not sql.startswith("SELECT COUNT(*)")


def kept(ask: Callable[[], Any]) -> list[tuple[str, Sequence[Any]]]:
    """The SELECTs that a request runs of which PostgreSQL keeps the plan, with their values; no counts either."""
    found: list[tuple[str, Sequence[Any]]] = []

    def note(execute: Any, sql: str, values: Sequence[Any], many: bool, context: Mapping[str, Any]) -> Any:
        if isinstance(context["cursor"].cursor, ServerBindingCursor) and _is_read(sql):
            found.append((sql, values))
        return execute(sql, values, many, context)

    with connection.execute_wrapper(note):
        answer = ask()
    assert answer.status_code == 200, answer.content
    return found


def scans_as_kept(sql: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    """As `scans`, by the plan that is made without knowing the values."""
    numbered = sql % tuple(f"${place}" for place, _ in enumerate(values, 1))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(f"PREPARE as_kept AS {numbered}")
        try:
            return scans(f"EXECUTE as_kept ({', '.join(['%s'] * len(values))})", values)
        finally:
            cursor.execute("DEALLOCATE as_kept")


def scans(sql: str, values: Sequence[Any] | None = None) -> list[dict[str, Any]]:
    """The nodes of a statement's plan, as it was carried out, that read one of the large tables."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
        [plans] = cursor.fetchone()
    large = {model._meta.db_table for model in LARGE}
    [explained] = json.loads(plans) if isinstance(plans, str) else plans
    return [node for node in _nodes(explained["Plan"]) if node.get("Relation Name") in large]


def visited(scan: Mapping[str, Any]) -> int:
    """How many rows a scan looked at, those that it threw away included."""
    removed = sum(rows for what, rows in scan.items() if what.startswith("Rows Removed by"))
    return int((scan["Actual Rows"] + removed) * scan["Actual Loops"])


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)
