"""Fills an account of an EC2 endpoint with the company."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from inventory.demo.company import (
    ADDRESS_LISTS,
    NETWORKS,
    PUBLIC,
    Group,
    LoadBalancer,
    Network,
    Rule,
    Servers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.literals import ResourceTypeType
    from types_boto3_ec2.type_defs import (
        InstanceNetworkInterfaceSpecificationTypeDef,
        IpPermissionTypeDef,
        TagSpecificationTypeDef,
    )


def fill(ec2: EC2Client, backend: Any) -> None:
    """Replace the account's initial contents with the company's.

    `backend` is moto's, for what its API can't do.
    """
    for vpc in ec2.describe_vpcs()["Vpcs"]:
        for subnet in ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]:
            ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        ec2.delete_vpc(VpcId=vpc["VpcId"])
    filling = _Filling(ec2, backend)
    for network in NETWORKS:
        filling.add(network)


class _Filling:
    def __init__(self, ec2: EC2Client, backend: Any) -> None:
        self.ec2 = ec2
        self.backend = backend
        self.free_addresses = map(str, ip_network(PUBLIC).hosts())
        self.lists = {name: self._address_list(name, entries) for name, entries in ADDRESS_LISTS.items()}
        #: The VPCs, by the names of networks.
        self.vpcs: dict[str, str] = {}

    def add(self, network: Network) -> None:
        tags = _named("vpc", network.name)
        vpc_id = self.ec2.create_vpc(CidrBlock=network.cidr, TagSpecifications=tags)["Vpc"]["VpcId"]
        self.vpcs[network.name] = vpc_id
        subnet = self.ec2.create_subnet(VpcId=vpc_id, CidrBlock=network.cidr)["Subnet"]["SubnetId"]
        groups = self._groups(vpc_id, network.groups)
        for servers in network.servers:
            for number in range(1, servers.count + 1):
                name = f"{network.name}-{servers.role}-{number}"
                self._launch(name, servers, subnet, [groups[group] for group in servers.groups])
        for balancer in network.load_balancers:
            self._balance(balancer, subnet, [groups[group] for group in balancer.groups])
        for peer in network.peers:
            self._connect(vpc_id, self.vpcs[peer])

    def _address_list(self, name: str, entries: Sequence[str]) -> str:
        created = self.ec2.create_managed_prefix_list(
            PrefixListName=name,
            AddressFamily="IPv4",
            MaxEntries=10,
            Entries=[{"Cidr": entry} for entry in entries],
        )
        return created["PrefixList"]["PrefixListId"]

    def _groups(self, vpc_id: str, groups: Mapping[str, Group]) -> dict[str, str]:
        """Create groups, then rules, which refer to other groups. Returns the groups' ids by name."""
        ids = {
            name: self.ec2.create_security_group(GroupName=name, Description=group.description, VpcId=vpc_id)[
                "GroupId"
            ]
            for name, group in groups.items()
        }
        for name, group in groups.items():
            permissions = [self._permission(rule, ids) for rule in group.rules]
            self.ec2.authorize_security_group_ingress(GroupId=ids[name], IpPermissions=permissions)
        return ids

    def _permission(self, rule: Rule, ids: dict[str, str]) -> IpPermissionTypeDef:
        permission: IpPermissionTypeDef = {
            "IpProtocol": rule.protocol,
            "FromPort": rule.first,
            "ToPort": rule.last,
        }
        if rule.source in ids:
            return {**permission, "UserIdGroupPairs": [{"GroupId": ids[rule.source]}]}
        if rule.source in self.lists:
            return {**permission, "PrefixListIds": [{"PrefixListId": self.lists[rule.source]}]}
        if ":" in rule.source:
            return {**permission, "Ipv6Ranges": [{"CidrIpv6": rule.source}]}
        return {**permission, "IpRanges": [{"CidrIp": rule.source}]}

    def _launch(self, name: str, servers: Servers, subnet_id: str, groups: list[str]) -> None:
        # Groups of interfaces, because moto never removes a group that was given to the instance itself.
        interfaces: list[InstanceNetworkInterfaceSpecificationTypeDef] = [
            {
                "DeviceIndex": index,
                "SubnetId": subnet_id,
                "Groups": groups,
                "AssociatePublicIpAddress": False,  # otherwise moto gives it one
            }
            for index in range(servers.interfaces)
        ]
        if servers.address:
            interfaces[0]["PrivateIpAddress"] = servers.address
        created = self.ec2.run_instances(
            ImageId="ami-12345678",
            InstanceType=servers.flavor,
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=interfaces,
            TagSpecifications=_named("instance", name),
        )
        if servers.public:
            self._publish(created["Instances"][0]["NetworkInterfaces"][0]["NetworkInterfaceId"])

    def _balance(self, balancer: LoadBalancer, subnet_id: str, groups: list[str]) -> None:
        for _ in range(balancer.interfaces):
            created = self.ec2.create_network_interface(
                SubnetId=subnet_id, Groups=groups, Description=f"ELB net/{balancer.name}/{balancer.ref}"
            )
            interface = created["NetworkInterface"]["NetworkInterfaceId"]
            self._publish(interface)
            row = self.backend.get_network_interface(interface)
            row.interface_type, row.requester_managed, row.status = "network_load_balancer", True, "in-use"

    def _publish(self, interface: str) -> None:
        created = self.ec2.allocate_address(Domain="vpc", Address=next(self.free_addresses))
        self.ec2.associate_address(AllocationId=created["AllocationId"], NetworkInterfaceId=interface)

    def _connect(self, vpc_id: str, peer_id: str) -> None:
        created = self.ec2.create_vpc_peering_connection(VpcId=vpc_id, PeerVpcId=peer_id)
        ref = created["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        self.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=ref)


def _named(kind: ResourceTypeType, name: str) -> list[TagSpecificationTypeDef]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]
