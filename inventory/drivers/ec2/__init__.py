"""Amazon EC2, and other endpoints with its API."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from inventory.drivers import messages
from inventory.drivers.base import Driver
from inventory.drivers.ec2 import parsers, payloads, words
from inventory.drivers.exceptions import ABSENT, CloudError, CloudRefused, CloudUnavailable, InstanceGone, InUse
from inventory.drivers.side_by_side import side_by_side
from inventory.drivers.values import (
    AddressList,
    Check,
    Group,
    Instance,
    Inventory,
    Network,
    Port,
    Rule,
    Scope,
    address_lists_of,
)

if TYPE_CHECKING:
    from inventory.drivers.ec2.client import Client

Filters = Mapping[str, Sequence[str]]

#: Maximum number of filter values in a request to EC2.
FILTER_VALUES = 200
#: The filter for the default VPC.
DEFAULT: Filters = {"is-default": ["true"]}
#: The filters for groups with a rule that refers to a group.
NAMING = ("ip-permission.group-id", "egress.ip-permission.group-id")


class Ec2Driver(Driver):
    """One AWS account in one region."""

    vendor: ClassVar[str] = "amazon"
    title: ClassVar[str] = "Amazon EC2"
    asked_for: ClassVar[Mapping[str, bool]] = {
        "provider_region": False,
        "url": False,
        "verify_ssl": False,
        "certificate_authority": False,
    }
    supports_group_edits: ClassVar[bool] = False
    groups_have_networks: ClassVar[bool] = True
    minimum_groups_per_port: ClassVar[int] = 1
    groups_per_port: ClassVar[int | None] = 5
    rules_per_group: ClassVar[int | None] = 60
    rules_of_new_groups: ClassVar[tuple[Rule, ...]] = (
        Rule("", "", "outbound", "IPV4", source_ip_range="0.0.0.0/0"),
    )
    name_taken: ClassVar[str | None] = words.NAME_TAKEN
    default_is_kept: ClassVar[str | None] = words.DEFAULT_IS_KEPT
    users_not_considered: ClassVar[tuple[str, ...]] = ("launch templates", "rules of other accounts")
    not_considered: ClassVar[tuple[str, ...]] = (
        "gateways",
        "host firewalls",
        "link-local services",
        "network ACLs",
        "route tables",
        "VPC peering",
    )

    @cached_property
    def _client(self) -> Client:
        # Not at the top: boto3 with the model of EC2 takes half a second and 60 MB. Many processes don't need it.
        from inventory.drivers.ec2.client import Client

        return Client(self.connection, self.rate_limiter)

    def verify(self) -> tuple[Check, ...]:
        from inventory.drivers.ec2 import verifying

        return tuple(verifying.checks(self._client))

    def inventory(self) -> Inventory:
        # Read references before their targets, because a target created in between would be missing. Rules are
        # the exception: a group that is listed must not be without them. Only ports and groups are read side by
        # side, so groups may be missing that ports have. They are read again.
        self._client  # noqa: B018 - both reads share it
        (ports, instances), (groups, rules) = side_by_side(self._ports_and_instances, self._groups_and_rules)
        missing = {ref for port in ports for ref in port.group_refs}.difference(group.ref for group in groups)
        new_groups = self.groups_by_ref(missing)
        groups += new_groups
        rules += tuple(rule for group in new_groups for rule in self.rules_of(group.ref))
        networks = self._vpcs({}, self._peers())
        lists = self._address_lists(rules)
        # No tenants, because EC2 doesn't list accounts. They are known from the things that they own.
        return self._as_told(
            Inventory(
                networks=networks,
                groups=groups,
                rules=rules,
                instances=instances,
                ports=ports,
                address_lists=lists,
            )
        )

    def _ports_and_instances(self) -> tuple[tuple[Port, ...], tuple[Instance, ...]]:
        ports = self._ports({})
        return ports, self._instances(self._client.read("describe_instances", "Reservations"))

    def _groups_and_rules(self) -> tuple[tuple[Group, ...], tuple[Rule, ...]]:
        groups = self._groups({}, self._associations({}))
        refs = {group.ref for group in groups}
        items = self._client.read("describe_security_group_rules", "SecurityGroupRules")
        return groups, tuple(parsers.rule(item, refs) for item in items)

    def inventory_of(self, scope: Scope) -> Inventory:
        match scope.kind:
            case "cloud_tenant":
                return super().inventory_of(scope)  # the account owns everything, except things shared by others
            case "instance":
                return self._inventory_of_instance(scope.ref)
            case "security_group":
                if not (groups := self.groups_by_ref([scope.ref])):
                    return Inventory()
                ports = self._ports({"group-id": [scope.ref]})
                rules = self.rules_of(scope.ref)
                lists = self._address_lists(rules)
                return self._as_told(Inventory(groups=groups, rules=rules, ports=ports, address_lists=lists))

    def _inventory_of_instance(self, ref: str) -> Inventory:
        try:
            instances = self._instance(ref)
        except InstanceGone:
            return Inventory()
        ports = self._ports_of(ref)
        groups = self.groups_by_ref({group for port in ports for group in port.group_refs})
        return self._as_told(Inventory(groups=groups, instances=instances, ports=ports))

    def inventory_of_ports(self, refs: Collection[str]) -> Inventory:
        ports = (port for chunk in _chunks(refs) for port in self._ports({"network-interface-id": chunk}))
        return Inventory(ports=tuple(ports))

    def ports(self, instance_ref: str) -> tuple[Port, ...]:
        self._instance(instance_ref)
        return self._ports_of(instance_ref)

    def ports_again(self, instance_ref: str) -> tuple[Port, ...]:
        # If there are no ports, the instance may be gone. `ports` then raises.
        return self._ports_of(instance_ref) or self.ports(instance_ref)

    def groups_named(self, name: str, ports: Sequence[Port]) -> tuple[Group, ...]:
        vpcs = sorted({port.network_ref for port in ports if port.network_ref})
        if not vpcs:
            return ()
        associations = self._associations({"vpc-id": vpcs})
        own = self._groups({"group-name": [_literally(name)], "vpc-id": vpcs}, associations)
        queries = ({"group-id": chunk} for chunk in _chunks(associations))
        associated = (group for filters in queries for group in self._groups(filters, associations))
        return tuple({group.ref: group for group in (*own, *associated) if group.name == name}.values())

    def groups_by_ref(self, refs: Collection[str]) -> tuple[Group, ...]:
        # By a filter, because one unknown id among `GroupIds` is an error for all of them.
        queries = ({"group-id": chunk} for chunk in _chunks(refs))
        return tuple(group for filters in queries for group in self._groups(filters, self._associations(filters)))

    def change_groups(self, port: Port, group_refs: Sequence[str]) -> str | None:
        if not group_refs:
            # EC2's protocol omits empty lists, so the request would change nothing.
            raise CloudRefused(f"The network interface {port.ref} must keep at least one security group.")
        response = self._client.call(
            "modify_network_interface_attribute", NetworkInterfaceId=port.ref, Groups=list(group_refs)
        )
        return _request_id(response)

    def placed(self, group: Group) -> Group:
        vpc = next(iter(self._vpcs({"vpc-id": [group.network_ref]} if group.network_ref else DEFAULT)), None)
        if vpc is None and group.network_ref:
            raise CloudRefused(f"The VPC {group.network_ref} no longer exists.")
        if vpc is None:
            raise CloudRefused("The account has no default VPC in this region. Specify a network.")
        # The VPC may belong to another account. Participants of a shared VPC create their own groups in it.
        account = self._account() if group.tenant_ref else None
        if account and account != group.tenant_ref:
            raise CloudRefused(f"These credentials create groups in account {account}, not in {group.tenant_ref}.")
        # EC2 requires a description, and it can't be changed later.
        return replace(group, description=group.description or group.name, network_ref=vpc.ref)

    def namesakes(self, group: Group) -> tuple[Group, ...]:
        others = self._groups({"group-name": [_literally(group.name)], "vpc-id": [group.network_ref or ""]})
        return tuple(other for other in others if other.name == group.name)

    def create_group(self, group: Group) -> tuple[Group, str | None]:
        response = self._client.call(
            "create_security_group",
            "GroupId",
            GroupName=group.name,
            Description=group.description,
            VpcId=group.network_ref,
        )
        # Not every compatible cloud gives an ARN, which names the account.
        account = parsers.account(response.get("SecurityGroupArn")) or group.tenant_ref
        created = replace(group, ref=response["GroupId"], tenant_ref=account)
        return created, _request_id(response)

    def edit_group(self, ref: str, name: str | None, description: str | None) -> tuple[Group, str | None]:
        raise CloudRefused("EC2 can't change the name or the description of a security group.")

    def delete_group(self, ref: str) -> str | None:
        try:
            return _request_id(self._client.call("delete_security_group", GroupId=ref))
        except InUse as error:
            users = self._users(ref)
            raise error.reworded(InUse, lambda text: f"{text} {users}".strip()) from error

    @staticmethod
    def users(ports: Sequence[Port], groups: Collection[str]) -> str:
        return messages.users("network interfaces", [port.ref for port in ports], groups)

    @staticmethod
    def stored_rule(rule: Rule) -> Rule:
        return parsers.rule(payloads.stored(rule), {rule.source_group_ref or ""})

    def rules_of(self, group_ref: str) -> tuple[Rule, ...]:
        listing = self._client.read(
            "describe_security_group_rules", "SecurityGroupRules", {"group-id": [group_ref]}
        )
        items = list(listing)
        peers = {ref for item in items if (ref := (item.get("ReferencedGroupInfo") or {}).get("GroupId"))}
        peer_refs = {group.ref for chunk in _chunks(peers) for group in self._groups({"group-id": chunk})}
        return tuple(parsers.rule(item, peer_refs) for item in items)

    def create_rule(self, rule: Rule) -> tuple[Rule, str | None]:
        response = self._client.call(
            f"authorize_security_group_{payloads.WAYS[rule.direction]}",
            GroupId=rule.group_ref,
            IpPermissions=[payloads.permission(rule)],
        )
        item = next(iter(response.get("SecurityGroupRules", ())), None)
        if item is None:
            # A compatible cloud may omit it. A retry then finds that the rule exists.
            raise CloudUnavailable(
                "EC2 did not return the rule that it created.", request_id=_request_id(response)
            )
        return parsers.rule(item, {rule.source_group_ref or ""}), _request_id(response)

    def delete_rule(self, rule: Rule) -> str | None:
        operation = f"revoke_security_group_{payloads.WAYS[rule.direction]}"
        response = self._client.call(operation, GroupId=rule.group_ref, SecurityGroupRuleIds=[rule.ref])
        return _request_id(response)

    def _instance(self, ref: str) -> tuple[Instance]:
        # By id, because EC2 then returns an error for an unknown one. With a filter it would return nothing.
        response = self._client.call("describe_instances", "Reservations", InstanceIds=[ref])
        instances = self._instances(response["Reservations"])
        if not instances:
            raise InstanceGone(f"The instance {ref} is terminated or terminating.")
        return (instances[0],)

    def _instances(self, reservations: Iterable[parsers.Item]) -> tuple[Instance, ...]:
        region = self._client.region
        return tuple(
            instance for reservation in reservations for instance in parsers.instances(reservation, region)
        )

    def _ports_of(self, instance_ref: str) -> tuple[Port, ...]:
        return self._ports({"attachment.instance-id": [instance_ref]})

    def _ports(self, filters: Filters) -> tuple[Port, ...]:
        items = self._client.read("describe_network_interfaces", "NetworkInterfaces", filters)
        return tuple(map(parsers.port, items))

    def _groups(self, filters: Filters, associations: parsers.Associations | None = None) -> tuple[Group, ...]:
        items = self._client.read("describe_security_groups", "SecurityGroups", filters)
        return tuple(parsers.group(item, associations) for item in items)

    def _associations(self, filters: Filters) -> parsers.Associations:
        """The VPC associations of groups; none if the cloud does not say."""
        operation, key = "describe_security_group_vpc_associations", "SecurityGroupVpcAssociations"
        criteria = {**filters, "state": ["associated"]}
        try:
            return parsers.associations(self._client.read(operation, key, criteria, optional=True))
        except ABSENT:
            self._untold.add("associated_network_refs")
            return {}

    def _peers(self) -> parsers.Peers:
        """The peers of VPCs; none if the cloud does not say."""
        operation, key = "describe_vpc_peering_connections", "VpcPeeringConnections"
        try:
            return parsers.peers(self._client.read(operation, key, {"status-code": ["active"]}, optional=True))
        except ABSENT:
            self._untold.add("peer_refs")
            return {}

    def _address_lists(self, rules: Iterable[Rule]) -> tuple[AddressList, ...]:
        """The prefix lists that these rules name, if the cloud shows them."""
        queries = ({"prefix-list-id": chunk} for chunk in _chunks(address_lists_of(rules)))
        read = partial(self._client.read, "describe_managed_prefix_lists", "PrefixLists", optional=True)
        try:
            lists = [parsers.address_list(item) for filters in queries for item in read(filters)]
        except ABSENT:
            self._untold.add("entries")
            return ()
        return tuple(replace(one, entries=self._entries(one.ref)) for one in lists)

    def _entries(self, list_ref: str) -> tuple[str, ...] | None:
        """The entries of a prefix list; None if the cloud does not say."""
        operation, key = "get_managed_prefix_list_entries", "Entries"
        try:
            return parsers.entries(self._client.read(operation, key, optional=True, PrefixListId=list_ref))
        except ABSENT:
            self._untold.add("entries")
            return None

    @cached_property
    def _untold(self) -> set[str]:
        """The attributes that are incomplete."""
        return set()

    def _as_told(self, inventory: Inventory) -> Inventory:
        return replace(inventory, untold=frozenset(self._untold))

    def _vpcs(self, filters: Filters, peers: parsers.Peers | None = None) -> tuple[Network, ...]:
        return tuple(parsers.network(vpc, peers) for vpc in self._client.read("describe_vpcs", "Vpcs", filters))

    def _account(self) -> str | None:
        """The account of these credentials: it owns the default VPC and every instance. None if there is neither.

        EC2 itself never says whose credentials it was called with (that is STS, another endpoint).
        """
        if default := self._vpcs(DEFAULT):
            return default[0].tenant_ref
        reservations = self._client.read("describe_instances", "Reservations")
        return next((owner for reservation in reservations if (owner := reservation.get("OwnerId"))), None)

    def _users(self, ref: str) -> str:
        """A sentence with what prevents the deletion of a group: interfaces, and rules of other groups."""
        try:
            interfaces = self._ports({"group-id": [ref]})
            referrers = (self._groups({name: [ref]}) for name in NAMING)
            return self.users(interfaces, {group.ref for groups in referrers for group in groups} - {ref})
        except CloudError:
            return ""


def _chunks(refs: Collection[str]) -> Iterator[list[str]]:
    ids = sorted(set(refs))
    return (ids[start : start + FILTER_VALUES] for start in range(0, len(ids), FILTER_VALUES))


def _request_id(response: Mapping[str, Any]) -> str | None:
    request_id: str | None = response["ResponseMetadata"].get("RequestId")
    return request_id


def _literally(value: str) -> str:
    """Escape a filter value: `*` and `?` are wildcards, and a group's name may contain `*`."""
    return re.sub(r"([*?\\])", r"\\\1", value)
