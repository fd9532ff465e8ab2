"""Converts answers of Nova, Neutron and Keystone to our values, without SDK and network."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal, cast

from inventory.drivers.answers import parses_answer
from inventory.drivers.protocols import protocol_named
from inventory.drivers.values import (
    EVERYBODY,
    AddressList,
    Group,
    Instance,
    Network,
    Port,
    PowerState,
    Rule,
    Tenant,
    same,
)

Item = Mapping[str, Any]
#: The floating addresses of each port (id).
FloatingAddresses = Mapping[str, Sequence[str]]
NONE_FLOATING: FloatingAddresses = MappingProxyType({})

#: The fields to request from Neutron. Otherwise a list of groups includes all of their rules.
GROUP_FIELDS = ("id", "name", "description", "project_id", "stateful", "shared")
PORT_FIELDS = (
    "id",
    "name",
    "device_id",
    "project_id",
    "network_id",
    "mac_address",
    "status",
    "fixed_ips",
    "security_groups",
    "port_security_enabled",
    "revision_number",
    "device_owner",
    "allowed_address_pairs",
)
FLOATING_IP_FIELDS = ("id", "port_id", "floating_ip_address")
NETWORK_FIELDS = ("id", "name", "project_id")
ADDRESS_GROUP_FIELDS = ("id", "name", "project_id", "addresses")

#: The states of deleted servers.
GONE = frozenset({"DELETED", "SOFT_DELETED"})
#: The state of a server whose cell is down.
UNKNOWN = "UNKNOWN"
POWER_STATES: dict[str, PowerState] = {
    "ACTIVE": "on",
    "SHUTOFF": "off",
    "SHELVED": "off",
    "SHELVED_OFFLOADED": "off",
    "PAUSED": "paused",
    "SUSPENDED": "suspended",
}
#: Protocol names with a special meaning in Neutron. There, protocol 0 means all protocols.
PROTOCOLS: dict[str, str | None] = {"0": None, "ip": None, "ipip": "ipv4"}
DIRECTIONS: dict[str, str] = {"ingress": "inbound", "egress": "outbound"}
ETHERTYPES: dict[str, str] = {"IPv4": "IPV4", "IPv6": "IPV6"}
ANYWHERE: dict[str, str] = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}


@parses_answer
def tenant(project: Item) -> Tenant:
    return Tenant(
        ref=project["id"], name=project.get("name", project["id"]), description=project.get("description") or None
    )


@parses_answer
def cidrs(subnets: Iterable[Item]) -> dict[str, str]:
    """The range of each network's first subnet."""
    by_network: dict[str, str] = {}
    for subnet in subnets:
        by_network.setdefault(subnet["network_id"], subnet["cidr"])
    return by_network


@parses_answer
def network(item: Item, cidrs: Mapping[str, str]) -> Network:
    """`cidrs` has the range of each network's first subnet."""
    return Network(
        ref=item["id"],
        name=item.get("name") or item["id"],
        cidr=of(cidrs, item["id"]),
        tenant_ref=item.get("project_id") or None,
    )


@parses_answer
def group(item: Item, shares: Mapping[str, Collection[str]] | None = None, reader: str | None = None) -> Group:
    """`shares` are the tenants that each group is shared with.

    Users who aren't administrators can't see what others share. For them, `shared` only means the `reader`, their
    own tenant.
    """
    tenants = of(shares or {}, item["id"]) or ()
    if reader and item.get("shared") and not tenants:
        tenants = (reader,)
    return Group(
        ref=item["id"],
        name=item.get("name", item["id"]),
        description=item.get("description") or None,
        tenant_ref=item.get("project_id") or None,
        stateful=item.get("stateful", True),
        shared_with=_once(tenants),
    )


@parses_answer
def shares(policies: Iterable[Item]) -> dict[str, list[str]]:
    """The tenants that each group is shared with, from Neutron's RBAC policies."""
    by_group: dict[str, list[str]] = {}
    for policy in policies:
        if target := policy.get("target_project") or policy.get("target_tenant"):
            by_group.setdefault(policy["object_id"], []).append(EVERYBODY if target == "*" else target)
    return by_group


@parses_answer
def rule(item: Item) -> Rule:
    """A rule without a source allows everybody, so it gets the range of all addresses."""
    return Rule(
        ref=item["id"],
        group_ref=item["security_group_id"],
        direction=_word(item["direction"], DIRECTIONS),
        network_protocol=_network_protocol(item.get("ethertype")),
        host_protocol=_protocol(item),
        port=item.get("port_range_min"),
        end_port=item.get("port_range_max"),
        source_ip_range=_range(item),
        source_group_ref=item.get("remote_group_id"),
        description=item.get("description") or None,
        address_list_ref=item.get("remote_address_group_id"),
    )


@parses_answer
def address_list(item: Item) -> AddressList:
    """An address group. It has no family, and its entries may be of both."""
    return AddressList(
        ref=item["id"],
        name=item.get("name") or item["id"],
        tenant_ref=item.get("project_id") or None,
        entries=_sorted(_listed(item.get("addresses"))),
    )


def unknown(instance: Instance) -> Instance:
    """The same instance with an unknown state, because its cell is down."""
    return replace(instance, power_state="unknown", raw_power_state=UNKNOWN)


@parses_answer
def instance(server: Item, region: str | None, remembered: Instance | None = None) -> Instance:
    """If the server's cell is down, Nova returns little, and the rest comes from `remembered`."""
    if "name" not in server and server.get("status", UNKNOWN) == UNKNOWN:
        base = remembered or Instance(server["id"], server["id"], "unknown", UNKNOWN, location=region)
        return unknown(replace(base, tenant_ref=server.get("tenant_id") or base.tenant_ref))
    flavor = server.get("flavor")
    return Instance(
        ref=server["id"],
        name=server.get("name", server["id"]),
        power_state=POWER_STATES.get(str(server.get("status")), "unknown"),
        raw_power_state=server.get("status", UNKNOWN),
        tenant_ref=server.get("tenant_id") or None,
        flavor_name=flavor.get("original_name") if isinstance(flavor, dict) else flavor,
        availability_zone_name=server.get("OS-EXT-AZ:availability_zone") or None,
        location=region,
        description=server.get("description") or None,
    )


@parses_answer
def floating_addresses(items: Iterable[Item]) -> FloatingAddresses:
    """The floating addresses of each port. One without a port may still forward some of its ports to others."""
    by_port: dict[str, list[str]] = {}
    for item in items:
        if isinstance(port_ref := item.get("port_id"), str):
            by_port.setdefault(port_ref, []).append(item["floating_ip_address"])
    return by_port


def ports(
    items: Iterable[Item], instances: Iterable[Instance], floating: FloatingAddresses = NONE_FLOATING
) -> tuple[Port, ...]:
    """Ports, with their instances if these are in the list."""
    projects = {instance.ref: instance.tenant_ref for instance in instances if isinstance(instance.ref, str)}
    return tuple(port(item, projects, floating) for item in items)


@parses_answer
def port(item: Item, projects: Mapping[str, str | None], floating: FloatingAddresses = NONE_FLOATING) -> Port:
    """`projects` has the project of each server.

    The owner of a port can set its `device_id` to any server. So the port only counts as the server's if both have
    the same project.
    """
    revision, project, server = item.get("revision_number"), item.get("project_id"), item.get("device_id")
    return Port(
        ref=item["id"],
        name=item.get("name") or None,
        instance_ref=server if not isinstance(server, str | None) or same(project, of(projects, server)) else None,
        tenant_ref=project or None,
        network_ref=item.get("network_id"),
        mac_address=item.get("mac_address"),
        status=item.get("status"),
        ip_addresses=_addresses(item.get("fixed_ips")),
        group_refs=_listed(item.get("security_groups")),
        port_security_enabled=item.get("port_security_enabled", True),
        revision=None if revision is None else str(revision),
        public_ip_addresses=tuple(of(floating, item["id"]) or ()),
        allowed_address_pairs=_addresses(item.get("allowed_address_pairs")),
        device_owner=item.get("device_owner") or None,
    )


def texts(values: Iterable[Any]) -> set[str]:
    """The values that are text. Other values can't be requested, and the boundary refuses them."""
    return {value for value in values if isinstance(value, str) and value}


def owned(groups: Iterable[Group], project: str) -> tuple[Group, ...]:
    """The groups of a project. Includes those with a malformed project, for the boundary to refuse."""
    return tuple(
        group for group in groups if group.tenant_ref == project or not isinstance(group.tenant_ref, str | None)
    )


def group_refs(ports: Iterable[Port]) -> set[str]:
    return texts(ref for port in ports if isinstance(port.group_refs, tuple) for ref in port.group_refs)


def refs_of_groups(port_items: Iterable[Item]) -> set[str]:
    """The same for ports as Neutron returns them."""
    lists = (item.get("security_groups") for item in port_items)
    return texts(ref for refs in lists if isinstance(refs, list) for ref in refs)


def of(by_ref: Mapping[str, Any], ref: Any) -> Any:
    """The entry for a ref; None if the ref is not text."""
    return by_ref.get(ref) if isinstance(ref, str) else None


def _once(tenants: Iterable[Any]) -> tuple[str, ...]:
    """The tenants, sorted and without duplicates. Malformed ones are last."""
    malformed = (tenant for tenant in tenants if not isinstance(tenant, str))
    return (*sorted(texts(tenants)), *malformed)


def _addresses(entries: Any) -> tuple[str, ...]:
    """The address of each entry. Anything but a list stays unchanged, as in `_listed`."""
    if entries is None:
        return ()
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return entries  # type: ignore[no-any-return]
    return tuple(entry.get("ip_address") for entry in entries)


def _word(value: Any, translations: Mapping[str, str]) -> Any:
    """Translate a word. An unknown word stays, and the boundary refuses it; None would mean any."""
    return translations.get(value, value) if isinstance(value, str) else value


def _listed(value: Any) -> tuple[str, ...]:
    """Convert a list to a tuple. Anything else stays unchanged, and the boundary refuses it."""
    return tuple(value) if isinstance(value, list) else value


def _sorted(entries: Any) -> Any:
    """In an order that does not change. Malformed entries stay among them, and the boundary refuses these."""
    return tuple(sorted(entries, key=str)) if isinstance(entries, tuple) else entries


def _network_protocol(ethertype: Any) -> Literal["IPV4", "IPV6"]:
    return _word("" if ethertype is None else ethertype, ETHERTYPES)  # type: ignore[no-any-return]


def _protocol(item: Item) -> str | None:
    protocol = item.get("protocol")
    if isinstance(protocol, int) and not isinstance(protocol, bool):
        protocol = str(protocol)
    if not isinstance(protocol, str):
        return cast(None, protocol)  # None, or a malformed value for the boundary to refuse
    name = protocol_named(PROTOCOLS.get(protocol, protocol))
    # Neutron also treats ICMP over IPv6 as ICMPv6.
    return "icmpv6" if name == "icmp" and item.get("ethertype") == "IPv6" else name


def _range(item: Item) -> str | None:
    """Only null means that there is no source. Malformed values stay, and don't become everybody."""
    if item.get("remote_group_id") is not None:
        return None
    # An address group is neither a range nor a security group. Keep its id.
    sources = (item.get("remote_ip_prefix"), item.get("remote_address_group_id"))
    anywhere = ANYWHERE.get(str(item.get("ethertype")))
    return next((source for source in sources if source is not None), anywhere)
