"""OpenStack: projects in Keystone, servers in Nova, ports, groups and rules in Neutron."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from inventory.drivers.base import Driver
from inventory.drivers.boundary import fitted
from inventory.drivers.exceptions import ABSENT, CloudError, CredentialsRefused, GroupNotFound, InstanceGone, InUse
from inventory.drivers.messages import NO_SUCH_GROUP
from inventory.drivers.openstack import parsers, payloads, words
from inventory.drivers.openstack.view import View
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
    Tenant,
    same,
)

if TYPE_CHECKING:
    from inventory.drivers.openstack.client import Client

#: Maximum number of ids in the address of a request.
CHUNK = 100


class OpenStackDriver(Driver):
    """An OpenStack cloud in one region, as one user sees it: every project, or only the user's own."""

    vendor: ClassVar[str] = "openstack"
    title: ClassVar[str] = "OpenStack"
    asked_for: ClassVar[Mapping[str, bool]] = {
        "hostname": True,
        "port": False,
        "path": False,
        "security_protocol": False,
        "certificate_authority": False,
        "provider_region": False,
        "project": False,
        "uid_ems": False,
        "interface": False,
    }
    rules_end_with_their_source: ClassVar[bool] = True
    rules_of_new_groups: ClassVar[tuple[Rule, ...]] = (
        Rule("", "", "outbound", "IPV4", source_ip_range="0.0.0.0/0"),
        Rule("", "", "outbound", "IPV6", source_ip_range="::/0"),
    )
    default_is_kept: ClassVar[str | None] = words.DEFAULT_IS_KEPT
    default_keeps_name: ClassVar[str | None] = words.DEFAULT_KEEPS_NAME
    not_considered: ClassVar[tuple[str, ...]] = ("firewall-as-a-service", "host firewalls", "routers")
    default_port: ClassVar[int | None] = 5000
    leaves_out_instances: ClassVar[bool] = True

    @cached_property
    def _client(self) -> Client:
        # Not at the top: importing the SDK takes most of a second, and many processes never need it.
        from inventory.drivers.openstack.client import client

        return self.rate_limiter.send("log in", partial(client, self.connection)).at(self.rate_limiter)

    def verify(self) -> tuple[Check, ...]:
        from inventory.drivers.openstack import verifying
        from inventory.drivers.openstack.client import Client

        # Not the cached client, because its login may outlive the password.
        return tuple(verifying.checks(Client(self.connection)))

    def inventory(self) -> Inventory:
        # Read references before their targets, because a target created in between would be missing. Rules and
        # floating addresses are the exception: a group or port that is listed must not be without them. Only ports
        # and groups are read side by side, so groups may be missing that ports have. They are read again.
        self._view  # noqa: B018 - both reads share it, and the client
        (ports, instances), (groups, rules) = side_by_side(self._ports_and_instances, self._groups_and_rules)
        self._view.look_at(groups)
        missing = parsers.refs_of_groups(ports) - parsers.texts(group.ref for group in groups)
        new_groups = self.groups_by_ref(missing)
        chunks = _chunks(group.ref for group in new_groups)
        new_rules = (rule for chunk in chunks for rule in self._rules(security_group_id=chunk))
        groups, rules = (*groups, *new_groups), (*rules, *new_rules)
        return self._put_together(self._networks(), groups, rules, instances, ports)

    def _ports_and_instances(self) -> tuple[list[dict[str, Any]], tuple[Instance, ...]]:
        return self._ports(), self._instances()

    def _groups_and_rules(self) -> tuple[tuple[Group, ...], tuple[Rule, ...]]:
        return self._groups(), self._rules()

    def inventory_of(self, scope: Scope) -> Inventory:
        match scope.kind:
            case "cloud_tenant":
                return self._inventory_of_project(scope)
            case "instance":
                if not (instance := self._instance(scope.ref)):
                    remembered = self.known_instances.get(scope.ref)
                    self._view.ask(self._client, remembered.tenant_ref if remembered else None)
                    return self._view.of(Inventory())
                ports = self._ports_of(instance, floating=True)
                groups = self.groups_by_ref(parsers.group_refs(ports))
                return self._view.of(Inventory(groups=groups, instances=(instance,), ports=ports))
            case "security_group":
                self._view.ask(self._client)
                if not (groups := self.groups_by_ref([scope.ref])):
                    return self._view.of(Inventory())
                ports = self._ports_with(scope.ref, floating=True)
                rules = self.rules_of(scope.ref)
                lists = self._address_lists(rules)
                return self._view.of(Inventory(groups=groups, rules=rules, ports=ports, address_lists=lists))

    def _inventory_of_project(self, scope: Scope) -> Inventory:
        ports = self._ports(project_id=scope.ref)
        instances = self._instances(project_id=scope.ref)
        # Never filter groups by project, because Neutron then creates the project's default group.
        all_groups = self._groups()
        self._view.look_at(all_groups)
        groups = parsers.owned(all_groups, scope.ref)
        chunks = _chunks(group.ref for group in groups)
        rules = tuple(rule for chunk in chunks for rule in self._rules(security_group_id=chunk))
        networks = self._networks(project_id=scope.ref)
        return fitted(self._put_together(networks, groups, rules, instances, ports)).within(scope)

    def _put_together(
        self,
        networks: Iterable[Network],
        groups: tuple[Group, ...],
        rules: tuple[Rule, ...],
        instances: tuple[Instance, ...],
        port_items: Sequence[Mapping[str, Any]],
    ) -> Inventory:
        networks, tenants, floating = tuple(networks), tuple(self._tenants()), self._floating(port_items)
        ports = parsers.ports(port_items, (*instances, *self._view.hidden(self.known_instances)), floating)
        lists = self._address_lists(rules)
        return self._view.of(Inventory(tenants, networks, groups, rules, instances, ports, lists))

    def shows(self, tenant_ref: str | None) -> bool:
        self._view.ask(self._client, tenant_ref)
        return Group not in self._view.partial or same(tenant_ref, self._view.own)

    def inventory_of_ports(self, refs: Collection[str]) -> Inventory:
        items = [item for chunk in _chunks(refs) for item in self._ports(id=chunk)]
        devices = parsers.texts(item.get("device_id") for item in items)
        instances = filter(None, map(self._instance, sorted(devices)))
        return self._view.of(Inventory(ports=parsers.ports(items, instances, self._floating(items))))

    def ports(self, instance_ref: str) -> tuple[Port, ...]:
        instance = self._instance(instance_ref)
        if instance is None:
            raise InstanceGone(f"The instance {instance_ref} no longer exists.")
        self._seen[instance_ref] = instance
        return self._ports_of(instance)

    def ports_again(self, instance_ref: str) -> tuple[Port, ...]:
        # A server never changes its project. A deleted one has no ports.
        instance = self._seen.get(instance_ref)
        return (self._ports_of(instance) if instance else ()) or self.ports(instance_ref)

    @cached_property
    def _view(self) -> View:
        """The visibility for this user."""
        return View(self._client.project_ref)

    @cached_property
    def _seen(self) -> dict[str, Instance]:
        """The instances that were read from Nova."""
        return {}

    def groups_named(self, name: str, ports: Sequence[Port]) -> tuple[Group, ...]:
        # Never filter groups by project, because Neutron then creates the project's default group.
        return tuple(group for group in self._groups(name=name) if any(map(group.fits, ports)))

    def groups_by_ref(self, refs: Collection[str]) -> tuple[Group, ...]:
        return tuple(group for chunk in _chunks(refs) for group in self._groups(id=chunk))

    def change_groups(self, port: Port, group_refs: Sequence[str]) -> str | None:
        guard = {"If-Match": f"revision_number={port.revision}"} if port.revision else {}
        body = {"port": {"security_groups": list(group_refs)}}
        _, request_id = self._client.write("PUT", f"/ports/{port.ref}", body, "port", **guard)
        return request_id

    def placed(self, group: Group) -> Group:
        return replace(group, tenant_ref=group.tenant_ref or self._client.project_ref)

    def namesakes(self, group: Group) -> tuple[Group, ...]:
        return tuple(other for other in self._groups(name=group.name) if same(other.tenant_ref, group.tenant_ref))

    def create_group(self, group: Group) -> tuple[Group, str | None]:
        item, request_id = self._client.write("POST", "/security-groups", payloads.group(group), "security_group")
        return parsers.group(item), request_id

    def edit_group(self, ref: str, name: str | None, description: str | None) -> tuple[Group, str | None]:
        changes = {"name": name, "description": description}
        body = {"security_group": {key: value for key, value in changes.items() if value is not None}}
        item, request_id = self._client.write("PUT", f"/security-groups/{ref}", body, "security_group")
        return parsers.group(item), request_id

    def delete_group(self, ref: str) -> str | None:
        try:
            return self._client.write("DELETE", f"/security-groups/{ref}")[1]
        except InUse as error:
            users = self._users(ref)
            raise error.reworded(InUse, lambda text: f"{text} {users}".strip()) from error

    @staticmethod
    def stored_rule(rule: Rule) -> Rule:
        return parsers.rule({"id": "", **payloads.rule(rule, None)["security_group_rule"]})

    def rules_of(self, group_ref: str) -> tuple[Rule, ...]:
        return self._rules(security_group_id=group_ref)

    def create_rule(self, rule: Rule) -> tuple[Rule, str | None]:
        group = next(iter(self.groups_by_ref([rule.group_ref])), None)
        if group is None:
            raise GroupNotFound(NO_SUCH_GROUP)
        body = payloads.rule(rule, group.tenant_ref)
        item, request_id = self._client.write("POST", "/security-group-rules", body, "security_group_rule")
        return parsers.rule(item), request_id

    def delete_rule(self, rule: Rule) -> str | None:
        return self._client.write("DELETE", f"/security-group-rules/{rule.ref}")[1]

    # Lists

    def _neutron(self, collection: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        return self._client.read("network", f"/{collection}", collection.replace("-", "_"), **parameters)

    def _ports(self, **parameters: Any) -> list[dict[str, Any]]:
        """Ports as Neutron returns them. Converting them requires the projects of their servers."""
        return list(self._neutron("ports", fields=parsers.PORT_FIELDS, **parameters))

    def _ports_of(self, instance: Instance, *, floating: bool = False) -> tuple[Port, ...]:
        items = self._ports(device_id=instance.ref)
        ports = parsers.ports(items, [instance], self._floating(items) if floating else {})
        return tuple(port for port in ports if port.instance_ref)

    def _ports_with(self, group_ref: str, *, floating: bool = False) -> tuple[Port, ...]:
        """The ports that have a group. A port's server is only valid if it is in the port's project."""
        items = self._ports(security_groups=group_ref)
        projects = parsers.texts(item.get("project_id") for item in items if item.get("device_id"))
        instances = chain.from_iterable(self._instances(project_id=project) for project in sorted(projects))
        return parsers.ports(items, instances, self._floating(items) if floating else {})

    def _floating(self, port_items: Sequence[Mapping[str, Any]]) -> parsers.FloatingAddresses:
        """The floating addresses of these ports; none if the cloud does not say.

        A change of groups does not need them, and each request counts there.
        """
        refs = sorted(parsers.texts(item["id"] for item in port_items))
        if not refs:
            return {}
        # For many ports, the pages of all are fewer. They may belong to another project than their port.
        filters = {"port_id": refs} if len(refs) <= CHUNK else {}
        try:
            items = self._neutron("floatingips", fields=parsers.FLOATING_IP_FIELDS, **filters)
            return parsers.floating_addresses(items)
        except ABSENT:  # the cloud lacks this extension
            self._view.untold.add("public_ip_addresses")
            return {}

    def _rules(self, **parameters: Any) -> tuple[Rule, ...]:
        return tuple(map(parsers.rule, self._neutron("security-group-rules", **parameters)))

    def _groups(self, **parameters: Any) -> tuple[Group, ...]:
        items = list(self._neutron("security-groups", fields=parsers.GROUP_FIELDS, **parameters))
        shares = self._shares() if items else {}
        return tuple(parsers.group(item, shares, self._client.project_ref) for item in items)

    def _shares(self) -> dict[str, list[str]]:
        try:
            return parsers.shares(self._neutron("rbac-policies", object_type="security_group"))
        except ABSENT:  # the cloud lacks this extension
            self._view.untold.add("shared_with")
            return {}

    def _address_lists(self, rules: Iterable[Rule]) -> tuple[AddressList, ...]:
        """The address groups that these rules name, if the cloud shows them."""
        read = partial(self._neutron, "address-groups", fields=parsers.ADDRESS_GROUP_FIELDS)
        chunks = _chunks(rule.address_list_ref or "" for rule in rules)
        try:
            return tuple(parsers.address_list(item) for chunk in chunks for item in read(id=chunk))
        except ABSENT:  # the cloud lacks this extension
            self._view.untold.add("entries")
            return ()

    def _networks(self, **parameters: Any) -> Iterator[Network]:
        cidrs = parsers.cidrs(self._neutron("subnets", fields=("id", "network_id", "cidr")))
        for item in self._neutron("networks", fields=parsers.NETWORK_FIELDS, **parameters):
            yield parsers.network(item, cidrs)

    def _instances(self, **parameters: Any) -> tuple[Instance, ...]:
        list_servers = partial(self._client.read, "compute", "/servers/detail", "servers")
        try:
            instances = self._read(list_servers(all_tenants=1, **parameters))
        except CredentialsRefused:
            self._view.partial.add(Instance)  # not an administrator: only the user's own project
            instances = self._read(list_servers())
        return (*instances, *self._left_out(instances, parameters.get("project_id")))

    def _left_out(self, instances: Iterable[Instance], project: str | None) -> Iterator[Instance]:
        """The known servers, of one project or of all, that Nova omitted although they may exist.

        Nova omits servers of a cell that is down: with a filter, after the first page, and before 2.69. Each
        omitted server is requested until one gives no information. Then the others would give none either.
        """
        seen_refs = parsers.texts(instance.ref for instance in instances) | {
            instance.ref for instance in self._view.hidden(self.known_instances)
        }
        remembered = (
            instance for instance in self.known_instances.values() if project in (None, instance.tenant_ref)
        )
        is_down = False
        for instance in remembered:
            if instance.ref in seen_refs:
                continue
            current: Instance | None = parsers.unknown(instance)
            if not is_down:
                try:
                    current = self._instance(instance.ref)
                    is_down = current is not None and current.raw_power_state == parsers.UNKNOWN
                except CloudError as error:
                    is_down = not error.permanent
            if current:
                yield current

    def _read(self, servers: Iterable[dict[str, Any]]) -> tuple[Instance, ...]:
        region, remembered = self._client.region, self.known_instances
        instances = (parsers.instance(server, region, parsers.of(remembered, server["id"])) for server in servers)
        return tuple(instance for instance in instances if str(instance.raw_power_state) not in parsers.GONE)

    def _tenants(self) -> list[Tenant]:
        mark_partial = partial(self._view.partial.add, Tenant)
        try:
            return list(
                map(parsers.tenant, self._client.read("identity", "/projects", "projects", on_cut=mark_partial))
            )
        except CredentialsRefused:
            mark_partial()  # not an administrator
            return [parsers.tenant(self._client.own_project())]

    def _instance(self, ref: str) -> Instance | None:
        """A server; None if it is gone or being deleted."""
        try:
            server = self._client.get("compute", f"/servers/{ref}", "server")
        except InstanceGone:
            return None
        return next(iter(self._read([server])), None)

    def _users(self, group_ref: str) -> str:
        """A sentence with the ports that prevent the deletion of a group, if there are any."""
        try:
            return self.users(self._ports_with(group_ref), ())
        except CloudError:
            return ""


def _chunks(refs: Iterable[str]) -> Iterator[list[str]]:
    ids = sorted(parsers.texts(refs))
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
