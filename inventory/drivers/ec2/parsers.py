"""Converts EC2's answers to our values, without boto3 and network.

The fields are those of the EC2 API reference. Fields that an account or a compatible cloud may omit are read with
`get`, but not ids, which are always required.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import Any, Literal

from inventory.drivers.answers import parses_answer
from inventory.drivers.protocols import protocol_named
from inventory.drivers.values import AddressList, Group, Instance, Network, Port, PowerState, Rule

Item = Mapping[str, Any]
#: For each group (id), the VPCs (ids) that it is associated with.
Associations = Mapping[str, Collection[str]]
#: For each VPC (id), the VPCs (ids) that it is peered with.
Peers = Mapping[str, Collection[str]]

#: Final states. EC2 still lists such an instance for about an hour.
GONE = frozenset({"shutting-down", "terminated"})
POWER_STATES: dict[str, PowerState] = {"running": "on", "stopped": "off"}
#: The protocols that EC2 knows by name, with ports (ICMP: type and code). For any other it ignores ports.
PROTOCOLS_WITH_PORTS = frozenset({"tcp", "udp", "icmp", "icmpv6"})
ANY = -1
#: The owner of the prefix lists that AWS manages.
AWS = "AWS"
FAMILIES: dict[str, str] = {"IPv4": "IPV4", "IPv6": "IPV6"}


@parses_answer
def network(vpc: Item, peers: Peers | None = None) -> Network:
    return Network(
        ref=vpc["VpcId"],
        name=_name_tag(vpc.get("Tags")) or vpc["VpcId"],
        cidr=vpc.get("CidrBlock"),
        tenant_ref=vpc.get("OwnerId") or None,
        peer_refs=tuple(sorted((peers or {}).get(vpc["VpcId"], ()))),
    )


@parses_answer
def peers(items: Iterable[Item]) -> Peers:
    """The VPCs that active peering connections connect with each VPC, in this inventory or not."""
    vpcs: dict[str, set[str]] = {}
    for item in items:
        sides = (item.get(side) or {} for side in ("RequesterVpcInfo", "AccepterVpcInfo"))
        one, other = (side.get("VpcId") for side in sides)
        if (item.get("Status") or {}).get("Code") == "active" and one and other:
            vpcs.setdefault(one, set()).add(other)
            vpcs.setdefault(other, set()).add(one)
    return vpcs


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
        address_list_ref=item.get("PrefixListId") or None,
    )


@parses_answer
def address_list(item: Item) -> AddressList:
    """A prefix list without its entries, which have a list of their own."""
    owner, family = item.get("OwnerId"), item.get("AddressFamily")
    return AddressList(
        ref=item["PrefixListId"],
        name=item.get("PrefixListName") or item["PrefixListId"],
        tenant_ref=None if owner == AWS else owner or None,
        family=FAMILIES.get(family, family) if family else None,  # type: ignore[arg-type]  # the boundary checks it
        max_entries=item.get("MaxEntries"),
    )


@parses_answer
def entries(items: Iterable[Item]) -> tuple[str, ...]:
    """The CIDRs of a prefix list, in an order that does not change. The boundary refuses a missing one."""
    return tuple(sorted((item.get("Cidr") for item in items), key=str))  # type: ignore[misc]


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
    own = _own_addresses(interface)
    return Port(
        ref=interface["NetworkInterfaceId"],
        name=_name_tag(interface.get("TagSet")) or interface.get("Description") or None,
        instance_ref=(interface.get("Attachment") or {}).get("InstanceId"),
        tenant_ref=interface.get("OwnerId") or None,
        network_ref=interface.get("VpcId") or None,
        mac_address=interface.get("MacAddress"),
        status=interface.get("Status"),
        ip_addresses=own,
        group_refs=tuple(item["GroupId"] for item in interface.get("Groups", ())),
        # A cloud without translation may associate an address with itself.
        public_ip_addresses=tuple(address for address in _public_addresses(interface) if address not in own),
        device_owner=interface.get("InterfaceType") or None,
        requester_managed=interface.get("RequesterManaged", False),
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


def _own_addresses(interface: Item) -> tuple[str, ...]:
    """Private IPv4, then IPv6 addresses."""
    private = (item.get("PrivateIpAddress") for item in interface.get("PrivateIpAddresses", ()))
    ipv6 = (item.get("Ipv6Address") for item in interface.get("Ipv6Addresses", ()))
    return _once(chain(private, ipv6))


def _public_addresses(interface: Item) -> tuple[str, ...]:
    """The public IPv4 addresses that are associated with its private ones."""
    # The interface repeats the association of its first address; some compatible clouds have it only there.
    items = (*interface.get("PrivateIpAddresses", ()), interface)
    return _once((item.get("Association") or {}).get("PublicIp") for item in items)


def _once(addresses: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, addresses)))
