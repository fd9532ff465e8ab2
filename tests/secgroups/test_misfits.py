"""Any text of any length in any value of a cloud: the refresh goes on, and so do the export and its provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.deletion import handle_provider_tasks
from inventory.drivers.boundary import fitted
from inventory.drivers.ec2 import parsers as ec2
from inventory.drivers.file import document
from inventory.drivers.openstack import parsers as openstack
from inventory.drivers.values import Group, Inventory, Network, Port, Rule, Tenant
from inventory.models import CloudTenant, NetworkPort, Provider, Task, Vm
from inventory.services import request_refresh
from secgroups.export import exported
from secgroups.models import FirewallRule, SecurityGroup
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import Grip, MemoryCloud


def refreshed(provider: Provider, *, force: bool = False) -> Task:
    task = request_refresh(provider=provider, user=None, force=force)
    handle_provider_tasks([task], Grip())
    task.refresh_from_db()
    return task


class TestWhatDoesNotFit:
    def test_a_name_is_cut_and_the_refresh_warns(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.instance_list[0] = replace(cloud.instance_list[0], name="x" * 300)
        ref = cloud.instance_list[0].ref
        problem = "has 300 characters (limit 256)"
        told = "Refreshed acme: 4 instances and 6 security groups. 1 instance changed."
        task = refreshed(cast.acme)
        assert Vm.objects.get(ems_ref=ref).name == "x" * 256
        assert (task.status, task.message) == (
            "Warn",
            f"{told} 1 value did not fit: name of instance {ref} was cut: name {problem}.",
        )
        assert task.context_data["misfits"] == [
            {
                "resource": f"instance {ref}",
                "attribute": "name",
                "problem": problem,
                "left_out": False,
            }
        ]
        cast.acme.refresh_from_db()
        assert cast.acme.last_refresh_error is None

    def test_a_cut_name_is_no_news_the_next_time(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.instance_list[0] = replace(cloud.instance_list[0], name="x" * 300)
        refreshed(cast.acme)
        assert "Nothing changed." in refreshed(cast.acme).message

    def test_a_row_that_is_known_is_left_as_it_was(self, cast: Cast, cloud: MemoryCloud) -> None:
        rule = actors.rule(cast.staging.web, 22)
        cloud.rule_list = [Rule(rule.ems_ref, "sg-staging-web", "inbound", "IPV4", "tcp", 70000, 70000)]
        task = refreshed(cast.acme)
        rule.refresh_from_db()
        assert rule.port == 22
        assert task.status == "Warn"
        assert task.context_data["found"]["firewall_rules"] == {"total": 1, "appeared": 0, "changed": 0, "went": 0}

    def test_a_new_one_is_left_out_and_named(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.rule_list = [Rule("sgr-new", "sg-staging-web", "inbound", port=70000)]
        assert refreshed(cast.acme).message.endswith(
            "1 value did not fit: firewall rule sgr-new of security group sg-staging-web was left unchanged: "
            "port is not between -1 and 65535."
        )
        assert not FirewallRule.objects.exists()

    def test_a_port_keeps_its_groups_where_one_of_them_does_not_fit(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.set_port("eni-staging-single-1", group_refs=("sg-staging-web", "x" * 300))
        assert refreshed(cast.acme).status == "Warn"
        assert actors.memberships(cast.staging.single) == {"eni-staging-single-1": {"sg-staging-default"}}

    def test_a_group_keeps_its_rules_and_ports(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.rule_list = [Rule("sgr-1", "sg-staging-default", "inbound", source_group_ref="sg-staging-web")]
        cloud.group_list = [replace(group, tenant_ref="\0") for group in cloud.group_list]
        task = refreshed(cast.acme)
        assert SecurityGroup.objects.filter(cloud_tenant=cast.tenant).count() == 6
        assert FirewallRule.objects.get().security_group == cast.staging.default
        assert actors.memberships(cast.staging.single) == {"eni-staging-single-1": {"sg-staging-default"}}
        assert task.message.count("was left unchanged") == 3
        assert task.message.endswith("; and 3 more.")

    def test_a_group_keeps_whom_it_is_shared_with_and_where_it_may_be_used(
        self, cast: Cast, cloud: MemoryCloud
    ) -> None:
        web, other = cast.staging.web, actors.tenant(cast.acme, "other")
        web.shared_with.add(other)
        web.associated_networks.add(cast.production.network)
        cloud.tenant_list.append(Tenant(other.ems_ref, other.name))
        cloud.group_list = [replace(group, tenant_ref="\0") for group in cloud.group_list]
        refreshed(cast.acme)
        assert web.shared_with.get() == other
        assert web.associated_networks.get() == cast.production.network

    def test_nothing_of_a_kind_goes_where_one_can_not_be_told(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.instance_list = [replace(one, ref=None) for one in cloud.instance_list[:1]]  # type: ignore[arg-type]
        assert refreshed(cast.acme).status == "Warn"
        assert Vm.objects.count() == 4

    def test_a_group_whose_network_was_left_out_does_not_read_as_confined_to_none(
        self, cast: Cast, cloud: MemoryCloud
    ) -> None:
        cloud.network_list.append(Network("vpc-new", "new", "x" * 65))
        cloud.group_list.append(Group("sg-new", "new", network_ref="vpc-new"))
        task = refreshed(cast.acme)
        assert not SecurityGroup.objects.filter(ems_ref="sg-new").exists()
        assert "network_ref is vpc-new, which was left out" in task.message

    def test_the_rest_of_a_cloud_is_read(self, cast: Cast, cloud: MemoryCloud) -> None:
        cloud.tenant_list.append(Tenant("t-new", "new"))
        cloud.port_list.append(Port("eni-new", ip_addresses=("\ud800",)))
        refreshed(cast.acme)
        assert CloudTenant.objects.filter(ems_ref="t-new").exists()
        assert not NetworkPort.objects.filter(ems_ref="eni-new").exists()


# Any text of any length in any value

TEXT = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["", "\0", "\ud800", "x" * 256, "x" * 257, "🧱" * 256, "é\0" * 300, "IPv5", "-1", "80", "*"]
)
ODD = TEXT | st.none() | st.integers(-(2**70), 2**70) | st.booleans()
NUMBER = st.integers(-(2**70), 2**70) | st.integers(-2, 65537) | st.none()


def of_openstack(draw: Callable[[Any], Any]) -> Inventory:
    def item(**values: Any) -> dict[str, Any]:
        """The item with some of its values replaced by others."""
        return {key: draw(ODD) if draw(st.booleans()) else value for key, value in values.items()}

    project = item(id="t-1", name="one", description="")
    net = item(id="n-1", name="net", project_id="t-1")
    group = item(id="g-1", name="web", description="", project_id="t-1", stateful=True)
    rule = item(
        id="r-1", security_group_id="g-1", direction="ingress", ethertype="IPv4", protocol="tcp", port_range_min=1,
        port_range_max=2, remote_ip_prefix=None, remote_group_id=None, description="",
    )  # fmt: skip
    naming = rule | {"id": "r-2", "remote_address_group_id": "ag-1"}
    listed = item(id="ag-1", name="list", project_id="t-1", addresses=["10.0.0.0/8", draw(TEXT)])
    server = item(id="s-1", name="vm", status="ACTIVE", tenant_id="t-1", description="")
    server |= {"flavor": item(original_name="small"), "OS-EXT-AZ:availability_zone": draw(ODD)}
    port = item(
        id="p-1", name="nic", device_id="s-1", project_id="t-1", network_id="n-1", mac_address="02:00",
        status="ACTIVE", security_groups=["g-1"], port_security_enabled=True, revision_number=1,
    )  # fmt: skip
    port |= item(device_owner="compute:nova")
    port["fixed_ips"] = [item(ip_address="10.0.0.1")]
    port["allowed_address_pairs"] = [item(ip_address="10.0.0.0/8")]
    floating = openstack.floating_addresses([item(id="f-1", port_id="p-1", floating_ip_address="198.51.100.1")])
    return Inventory(
        (openstack.tenant(project),),
        (openstack.network(net, {net["id"]: draw(ODD)}),),
        (openstack.group(group, {group["id"]: {"*"}}), openstack.group({"id": "g-1", "name": "web"})),
        (openstack.rule(rule), openstack.rule(naming)),
        (instance := openstack.instance(server, draw(TEXT)),),
        openstack.ports([port], [instance], floating),
        (openstack.address_list(listed),),
    )


def of_ec2(draw: Callable[[Any], Any]) -> Inventory:
    def item(**values: Any) -> dict[str, Any]:
        return {key: draw(TEXT) if draw(st.booleans()) else value for key, value in values.items()}

    tags = [{"Key": "Name", "Value": draw(TEXT)}]
    vpc = item(VpcId="n-1", CidrBlock="10.0.0.0/8", OwnerId="t-1") | {"Tags": tags}
    group = item(GroupId="g-1", GroupName="web", Description="d", OwnerId="t-1", VpcId="n-1")
    rule = item(SecurityGroupRuleId="r-1", GroupId="g-1", IpProtocol="tcp", CidrIpv4="10.0.0.0/8", Description="d")
    rule |= {"IsEgress": draw(st.booleans()), "FromPort": draw(NUMBER), "ToPort": draw(NUMBER)}
    server = item(InstanceId="s-1", InstanceType="small") | {"Tags": tags, "State": item(Name="running")}
    server["Placement"] = item(AvailabilityZone="zone")
    port = item(NetworkInterfaceId="p-1", OwnerId="t-1", VpcId="n-1", MacAddress="02:00", Status="in-use")
    port |= {"TagSet": tags, "Attachment": item(InstanceId="s-1"), "Groups": [item(GroupId="g-1")]}
    port |= item(InterfaceType="interface")
    association = item(PublicIp="198.51.100.1")
    port["PrivateIpAddresses"] = [item(PrivateIpAddress="10.0.0.1") | {"Association": association}]
    peering = {"RequesterVpcInfo": item(VpcId="n-1"), "AccepterVpcInfo": item(VpcId="n-2")}
    peers = ec2.peers([peering | {"Status": {"Code": "active"}}])
    naming = item(SecurityGroupRuleId="r-2", GroupId="g-1", IpProtocol="-1", PrefixListId="pl-1")
    naming |= {"IsEgress": draw(st.booleans())}
    listed = item(PrefixListId="pl-1", PrefixListName="list", OwnerId="t-1", AddressFamily="IPv4")
    listed |= {"MaxEntries": draw(NUMBER)}
    entries = ec2.entries([item(Cidr="10.0.0.0/8"), item(Cidr="192.0.2.0/24")])
    associations = ec2.associations([item(GroupId="g-1", VpcId="n-1", State="associated")])
    return Inventory(
        networks=(ec2.network(vpc, peers),),
        groups=(ec2.group(group, associations),),
        rules=(ec2.rule(rule, {"g-1"}), ec2.rule(naming, {"g-1"})),
        instances=tuple(ec2.instances({"OwnerId": draw(TEXT), "Instances": [server]}, "region")),
        ports=(ec2.port(port),),
        address_lists=(replace(ec2.address_list(listed), entries=entries),),
    )


@pytest.mark.parametrize("read", [of_openstack, of_ec2])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_text_in_any_value(read: Any, data: st.DataObject, cast: Cast, cloud: MemoryCloud) -> None:
    inventory = read(data.draw)
    misfits = fitted(inventory).misfits
    cloud.script("inventory", lambda call: inventory)
    with transaction.atomic():
        task = refreshed(cast.acme, force=True)
        warned = bool(misfits) or "did not fit" in task.message
        assert task.status == ("Warn" if warned else "Ok"), task.message
        written = b"".join(document.dumped(exported(cast.acme)))
        again = document.loaded(written, "acme.json")
        assert fitted(again) == again
        cloud.script("inventory", lambda call: again)
        second = refreshed(cast.acme, force=True)
        assert (second.status, "Nothing changed." in second.message) == ("Ok", True), second.message
        transaction.set_rollback(True)
