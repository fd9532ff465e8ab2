"""Converts EC2's answers to our values, without boto3 and network.

The fields are those of the EC2 API reference. Fields that an account or a compatible cloud may omit are read with
`get`, but not ids, which are always required.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from inventory.drivers.answers import parses_answer
from inventory.drivers.protocols import protocol_named
from inventory.drivers.values import Group, Instance, Network, Port, PowerState, Rule

Item = Mapping[str, Any]
#: For each group (id), the VPCs (ids) that it is associated with.
Associations = Mapping[str, Collection[str]]

#: Final states. EC2 still lists such an instance for about an hour.
GONE = frozenset({"shutting-down", "terminated"})
POWER_STATES: dict[str, PowerState] = {"running": "on", "stopped": "off"}
#: The protocols that EC2 knows by name, with ports (ICMP: type and code). For any other it ignores ports.
PROTOCOLS_WITH_PORTS = frozenset({"tcp", "udp", "icmp", "icmpv6"})
ANY = -1


@parses_answer
def network(vpc: Item) -> Network:
    return Network(
        ref=vpc["VpcId"],
        name=_name_tag(vpc.get("Tags")) or vpc["VpcId"],
        cidr=vpc.get("CidrBlock"),
        tenant_ref=vpc.get("OwnerId") or None,
    )


@parses_answer
def group(item: Item, associations: Associations | None = None) -> Group:
    return Group(
        ref=item["GroupId"],
        name=item.get("GroupName", item["GroupId"]),
        description=item.get("Description") or None,
        tenant_ref=item.get("OwnerId") or None,
        network_ref=item.get("VpcId") or None,
        associated_network_refs=tuple(sorted((associations or {}).get(item["GroupId"], ()))),
    )


@parses_answer
def associations(items: Iterable[Item]) -> Associations:
    """The other VPCs in which each group may be used."""
    vpcs: dict[str, set[str]] = {}
    for item in items:
        if item.get("State", "associated") == "associated" and (vpc := item.get("VpcId")):
            vpcs.setdefault(item["GroupId"], set()).add(vpc)
    return vpcs


def account(arn: str | None) -> str | None:
    """The account in an ARN: `arn:aws:ec2:eu-west-1:123456789012:security-group/sg-1`."""
    parts = (arn or "").split(":")
    return parts[4] or None if len(parts) > 4 else None


@parses_answer
def rule(item: Item, groups: Collection[str]) -> Rule:
    """`groups` are the ids of the inventory's groups. Any other source group is stored as a name."""
    protocol = protocol_named(item["IpProtocol"])
    with_ports = protocol in PROTOCOLS_WITH_PORTS
    peer = item.get("ReferencedGroupInfo") or {}
    return Rule(
        ref=item["SecurityGroupRuleId"],
        group_ref=item["GroupId"],
        direction="outbound" if item["IsEgress"] else "inbound",
        network_protocol=_network_protocol(item),
        host_protocol=protocol,
        port=_unless_any(item.get("FromPort")) if with_ports else None,
        end_port=_unless_any(item.get("ToPort")) if with_ports else None,
        source_ip_range=_range(item, peer, groups),
        source_group_ref=peer["GroupId"] if peer.get("GroupId") in groups else None,
        description=item.get("Description") or None,
    )


@parses_answer
def instances(reservation: Item, region: str) -> list[Instance]:
    """The instances of a reservation, except terminating ones."""
    return [
        _instance(item, reservation.get("OwnerId"), region)
        for item in reservation["Instances"]
        if _state(item) not in GONE
    ]


@parses_answer
def port(interface: Item) -> Port:
    return Port(
        ref=interface["NetworkInterfaceId"],
        name=_name_tag(interface.get("TagSet")) or interface.get("Description") or None,
        instance_ref=(interface.get("Attachment") or {}).get("InstanceId"),
        tenant_ref=interface.get("OwnerId") or None,
        network_ref=interface.get("VpcId") or None,
        mac_address=interface.get("MacAddress"),
        status=interface.get("Status"),
        ip_addresses=_addresses(interface),
        group_refs=tuple(item["GroupId"] for item in interface.get("Groups", ())),
    )


def _instance(item: Item, owner: str | None, region: str) -> Instance:
    state = _state(item)
    return Instance(
        ref=item["InstanceId"],
        name=_name_tag(item.get("Tags")) or item["InstanceId"],
        power_state=POWER_STATES.get(state, "unknown"),
        raw_power_state=state,
        tenant_ref=owner or None,
        flavor_name=item.get("InstanceType"),
        availability_zone_name=(item.get("Placement") or {}).get("AvailabilityZone"),
        # Not derived from the zone, because local zones (us-west-2-lax-1a) have longer suffixes.
        location=region,
    )


def _state(item: Item) -> str:
    return (item.get("State") or {}).get("Name") or "unknown"


def _name_tag(tags: Iterable[Item] | None) -> str | None:
    return next((tag.get("Value") for tag in tags or () if tag.get("Key") == "Name"), None)


def _network_protocol(item: Item) -> Literal["IPV4", "IPV6"] | None:
    """Only a CIDR has a family. A prefix list doesn't show its own, and a group has both."""
    if item.get("CidrIpv4"):
        return "IPV4"
    return "IPV6" if item.get("CidrIpv6") else None


def _unless_any(number: int | None) -> int | None:
    return None if number == ANY else number


def _range(item: Item, peer: Item, groups: Collection[str]) -> str | None:
    """Every rule of EC2 has a source. Without one, return an empty range, which does not fit."""
    if peer.get("GroupId") in groups:
        return None
    return (
        item.get("CidrIpv4")
        or item.get("CidrIpv6")
        or item.get("PrefixListId")
        or _foreign_group(peer, item.get("GroupOwnerId"))
    )


def _foreign_group(peer: Item, owner: str | None) -> str:
    """EC2's own notation for a group that is not ours: `account/group`, or the id alone within the account."""
    ref: str = peer.get("GroupId") or ""
    account = peer.get("UserId")
    return f"{account}/{ref}" if ref and account and account != owner else ref


def _addresses(interface: Item) -> tuple[str, ...]:
    """Private IPv4, then IPv6, then public IPv4 addresses."""
    private = interface.get("PrivateIpAddresses", ())
    # The interface repeats the association of its first address; some compatible clouds have it only there.
    associations = (item.get("Association") or {} for item in (*private, interface))
    addresses = (
        *(item.get("PrivateIpAddress") for item in private),
        *(item.get("Ipv6Address") for item in interface.get("Ipv6Addresses", ())),
        *(association.get("PublicIp") for association in associations),
    )
    return tuple(dict.fromkeys(filter(None, addresses)))
