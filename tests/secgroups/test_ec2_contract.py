"""The contract of drivers, on moto's server and, where that is laxer than EC2, with EC2's own error answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests import cast as actors
from tests.contracts.drivers import DriverContract, Site, injected
from tests.live.ec2 import Cast
from tests.live.faults import FaultProxy

KEYS = {"userid": "AKIDTEST", "password": "secret"}


class Ec2Site(Site):
    owner = "interface"
    write = "ModifyNetworkInterfaceAttribute"
    deletion = "DeleteSecurityGroup"

    def __init__(self, proxy: FaultProxy, api: Any) -> None:
        self.faults = proxy
        self.api = api
        self.vpc, self.subnet = Cast.network(self, "10.1")
        self.elsewhere, _ = Cast.network(self, "10.2")
        self.provider = actors.provider("aws", url=proxy.url, credentials=KEYS)

    def group(self, name: str) -> str:
        return Cast.group(self, name)

    def foreign_group(self, name: str) -> str:
        return Cast.group(self, name, self.elsewhere)

    def address_list(self, name: str, *entries: str) -> str:
        listed = [{"Cidr": entry} for entry in entries]
        made = self.api.create_managed_prefix_list(
            PrefixListName=name, AddressFamily="IPv4", MaxEntries=20, Entries=listed
        )
        return str(made["PrefixList"]["PrefixListId"])

    def let_in_from(self, group: str, address_list: str) -> None:
        Cast.allow(self, group, "tcp", 443, 443, PrefixListIds=[{"PrefixListId": address_list}])

    def deny_address_lists(self) -> None:
        self.faults.refuse("DescribeManagedPrefixLists", "UnauthorizedOperation")

    def instance(self, *groups: str, ports: int = 1) -> str:
        return Cast.instance(self, *groups, interfaces=ports)

    def ports(self, instance: str) -> list[str]:
        filters = [{"Name": "attachment.instance-id", "Values": [instance]}]
        found = self.api.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        return [interface["NetworkInterfaceId"] for interface in found]

    def groups_of(self, port: str) -> set[str]:
        [found] = self.api.describe_network_interfaces(NetworkInterfaceIds=[port])["NetworkInterfaces"]
        return {group["GroupId"] for group in found["Groups"]}

    def set_groups(self, port: str, *groups: str) -> None:
        self.api.modify_network_interface_attribute(NetworkInterfaceId=port, Groups=list(groups))

    def end(self, instance: str) -> None:
        self.api.terminate_instances(InstanceIds=[instance])

    def publish(self, port: str) -> str:
        return Cast.publish(self, port)

    def withdraw(self, port: str) -> None:
        filters = [{"Name": "network-interface-id", "Values": [port]}]
        for address in self.api.describe_addresses(Filters=filters)["Addresses"]:
            self.api.disassociate_address(AssociationId=address["AssociationId"])

    def peered(self) -> tuple[str, str]:
        Cast.peer(self, self.vpc, self.elsewhere)
        return self.vpc, self.elsewhere

    def throttle(self) -> None:
        self.faults.refuse(self.write, "RequestLimitExceeded", "Request limit exceeded.", status=503)

    def deny_deletion(self) -> None:
        self.faults.refuse(self.deletion, "DependencyViolation", "resource sg-1 has a dependent object")


@pytest.mark.live
class TestEc2(DriverContract):
    can_be_without_groups = False
    can_edit_groups = False

    @pytest.fixture
    def site(self, ec2_proxy: FaultProxy, ec2_api: Any) -> Site:
        return Ec2Site(ec2_proxy, ec2_api)

    def limit(self, site: Site) -> None:
        for _ in range(2):  # with the others, and alone
            site.faults.refuse(site.write, "SecurityGroupsPerInterfaceLimitExceeded", "limit exceeded")

    @injected
    def test_a_group_in_use_is_kept_and_says_what_has_it(self, site: Site) -> None:
        super().test_a_group_in_use_is_kept_and_says_what_has_it(site)

    # EC2 takes changes.
    test_a_cloud_that_takes_no_change_is_not_asked = None
    # EC2 has no compare-and-swap.
    test_a_change_by_others_between_reading_and_writing_is_kept = None
    # EC2 has no interface without groups, and none but stateful groups.
    test_a_port_without_port_security_is_left_out = None
    test_stateful_and_stateless_groups_are_kept_apart = None
