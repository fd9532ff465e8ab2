"""What the tests of EC2 share: a driver, and a small cast of groups and instances in the account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inventory.drivers.ec2 import Ec2Driver
from inventory.drivers.values import Connection, Port


def driver_of(url: str, **connection: Any) -> Ec2Driver:
    """The driver of a provider at this endpoint."""
    return Ec2Driver(Connection(url=url, userid="AKIDTEST", password="secret", **connection))


def by_ref(found: Any, ref: str) -> Any:
    """The one value with this ref."""
    (match,) = [item for item in found if item.ref == ref]
    return match


@dataclass
class Cast:
    """A VPC with two groups, beside the default one that every account has."""

    api: Any

    def __post_init__(self) -> None:
        self.vpc, self.subnet = self.network("10.1")
        self.web = self.group("web")
        self.db = self.group("db")

    def network(self, prefix: str) -> tuple[str, str]:
        vpc = self.api.create_vpc(CidrBlock=f"{prefix}.0.0/16")["Vpc"]["VpcId"]
        subnet = self.api.create_subnet(VpcId=vpc, CidrBlock=f"{prefix}.1.0/24", AvailabilityZone="us-east-1b")
        return vpc, subnet["Subnet"]["SubnetId"]

    def group(self, name: str, vpc: str | None = None) -> str:
        made = self.api.create_security_group(GroupName=name, Description=f"{name} servers", VpcId=vpc or self.vpc)
        return str(made["GroupId"])

    def instance(self, *groups: str, name: str | None = None, interfaces: int = 1) -> str:
        # On the interfaces: moto never takes a group away that was given to the instance itself.
        attached = [
            {"DeviceIndex": index, "SubnetId": self.subnet, "Groups": list(groups)} for index in range(interfaces)
        ]
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}] if name else []
        made = self.api.run_instances(
            ImageId="ami-12345678",
            InstanceType="t3.small",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=attached,
            TagSpecifications=tags,
        )
        return str(made["Instances"][0]["InstanceId"])

    def allow(self, group: str, protocol: str, first: int = -1, last: int = -1, **source: Any) -> str:
        permission = {"IpProtocol": protocol, "FromPort": first, "ToPort": last, **source}
        made = self.api.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def publish(self, interface: str) -> str:
        """Associate a public address with an interface."""
        made = self.api.allocate_address(Domain="vpc")
        self.api.associate_address(AllocationId=made["AllocationId"], NetworkInterfaceId=interface)
        return str(made["PublicIp"])

    def peer(self, vpc: str, other: str) -> None:
        made = self.api.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)["VpcPeeringConnection"]
        self.api.accept_vpc_peering_connection(VpcPeeringConnectionId=made["VpcPeeringConnectionId"])

    def groups_of(self, port: Port) -> list[str]:
        found = self.api.describe_network_interfaces(NetworkInterfaceIds=[port.ref])["NetworkInterfaces"]
        return [group["GroupId"] for group in found[0]["Groups"]]
