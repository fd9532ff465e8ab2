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
from inventory.drivers.openstack import parsers, payloads
from inventory.drivers.openstack.view import View
from inventory.drivers.values import Check, Group, Instance, Inventory, Network, Port, Rule, Scope, Tenant, same

if TYPE_CHECKING:
    from inventory.drivers.openstack.client import Client

#: Most ids in the address of one request.
CHUNK = 100


class OpenStackDriver(Driver):
    """One user's view of an OpenStack cloud in one region: of every project, or of its own."""

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
    default_port: ClassVar[int | None] = 5000
    leaves_out_instances: ClassVar[bool] = True

    @cached_property
    def _client(self) -> Client:
        # Not at the top: the SDK costs most of a second; many processes never call it.
        from inventory.drivers.openstack.client import client

        return self.rate_limiter.send("log in", partial(client, self.connection)).at(self.rate_limiter)

    def verify(self) -> tuple[Check, ...]:
        from inventory.drivers.openstack import verifying
        from inventory.drivers.openstack.client import Client

        # Not the client that is kept: its login may be older than the end of the password.
        return tuple(verifying.checks(Client(self.connection)))

    def inventory(self) -> Inventory:
        # What refers is read before what it refers to, so that something made meanwhile is not referred to in
        # vain. Rules are the exception: a group that is listed must not be without them.
        ports = self._ports()
        instances = self._instances()
        groups = self._groups()
        rules = self._rules()
        self._view.look_at(groups)
        return self._put_together(self._networks(), groups, rules, instances, ports)

    def inventory_of(self, scope: Scope) -> Inventory:
        match scope.kind:
            case "cloud_tenant":
                return self._inventory_of_project(scope)
            case "instance":
                if not (instance := self._instance(scope.ref)):
                    known = self.known_instances.get(scope.ref)
                    self._view.ask(self._client, known.tenant_ref if known else None)
                    return self._view.of(Inventory())
                ports = self._ports_of(instance)
                groups = self.groups_by_ref(parsers.group_refs(ports))
                return Inventory(groups=groups, instances=(instance,), ports=ports)
            case "security_group":
                self._view.ask(self._client)
                if not (groups := self.groups_by_ref([scope.ref])):
                    return self._view.of(Inventory())
                ports = self._ports_with(scope.ref)
                return self._view.of(Inventory(groups=groups, rules=self.rules_of(scope.ref), ports=ports))

    def _inventory_of_project(self, scope: Scope) -> Inventory:
        ports = self._ports(project_id=scope.ref)
        instances = self._instances(project_id=scope.ref)
        # Never with a filter by project: Neutron makes the default group of a project that is listed so.
        every = self._groups()
        self._view.look_at(every)
        groups = parsers.owned(every, scope.ref)
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
        ports: Iterable[Mapping[str, Any]],
    ) -> Inventory:
        networks, tenants = tuple(networks), tuple(self._tenants())
        attached = parsers.ports(ports, (*instances, *self._view.hidden(self.known_instances)))
        return self._view.of(Inventory(tenants, networks, groups, rules, instances, attached))

    def shows(self, tenant_ref: str | None) -> bool:
        self._view.ask(self._client, tenant_ref)
        return Group not in self._view.partial or same(tenant_ref, self._view.own)

    def inventory_of_ports(self, refs: Collection[str]) -> Inventory:
        found = [port for chunk in _chunks(refs) for port in self._ports(id=chunk)]
        devices = parsers.texts(port.get("device_id") for port in found)
        instances = filter(None, map(self._instance, sorted(devices)))
        return Inventory(ports=parsers.ports(found, instances))

    def ports(self, instance_ref: str) -> tuple[Port, ...]:
        instance = self._instance(instance_ref)
        if instance is None:
            raise InstanceGone(f"The instance {instance_ref} no longer exists.")
        self._seen[instance_ref] = instance
        return self._ports_of(instance)

    def ports_again(self, instance_ref: str) -> tuple[Port, ...]:
        # A server never changes its project. One that is gone has no ports.
        seen = self._seen.get(instance_ref)
        return (self._ports_of(seen) if seen else ()) or self.ports(instance_ref)

    @cached_property
    def _view(self) -> View:
        """What is shown to this user."""
        return View(self._client.project_ref)

    @cached_property
    def _seen(self) -> dict[str, Instance]:
        """The instances that Nova was asked for."""
        return {}

    def groups_named(self, name: str, ports: Sequence[Port]) -> tuple[Group, ...]:
        # Never with a filter by project: Neutron makes the default group of a project that is listed so.
        return tuple(one for one in self._groups(name=name) if any(map(one.fits, ports)))

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
        return tuple(one for one in self._groups(name=group.name) if same(one.tenant_ref, group.tenant_ref))

    def create_group(self, group: Group) -> tuple[Group, str | None]:
        made, request_id = self._client.write("POST", "/security-groups", payloads.group(group), "security_group")
        return parsers.group(made), request_id

    def edit_group(self, ref: str, name: str | None, description: str | None) -> tuple[Group, str | None]:
        given = {"name": name, "description": description}
        body = {"security_group": {key: value for key, value in given.items() if value is not None}}
        edited, request_id = self._client.write("PUT", f"/security-groups/{ref}", body, "security_group")
        return parsers.group(edited), request_id

    def delete_group(self, ref: str) -> str | None:
        try:
            return self._client.write("DELETE", f"/security-groups/{ref}")[1]
        except InUse as error:
            raise InUse(f"{error.message} {self._users(ref)}".strip(), request_id=error.request_id) from error

    def rules_of(self, group_ref: str) -> tuple[Rule, ...]:
        return self._rules(security_group_id=group_ref)

    def create_rule(self, rule: Rule) -> tuple[Rule, str | None]:
        group = next(iter(self.groups_by_ref([rule.group_ref])), None)
        if group is None:
            raise GroupNotFound(f"There is no security group {rule.group_ref}.")
        body = payloads.rule(rule, group.tenant_ref)
        made, request_id = self._client.write("POST", "/security-group-rules", body, "security_group_rule")
        return parsers.rule(made), request_id

    def delete_rule(self, rule: Rule) -> str | None:
        return self._client.write("DELETE", f"/security-group-rules/{rule.ref}")[1]

    # Lists

    def _neutron(self, collection: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        return self._client.read("network", f"/{collection}", collection.replace("-", "_"), **parameters)

    def _ports(self, **parameters: Any) -> list[dict[str, Any]]:
        """Ports as Neutron has them, which become ours once it is known whose servers they name."""
        return list(self._neutron("ports", fields=parsers.PORT_FIELDS, **parameters))

    def _ports_of(self, instance: Instance) -> tuple[Port, ...]:
        found = parsers.ports(self._ports(device_id=instance.ref), [instance])
        return tuple(port for port in found if port.instance_ref)

    def _ports_with(self, group_ref: str) -> tuple[Port, ...]:
        """The ports that have a group; only servers of a port's own project can have it."""
        found = self._ports(security_groups=group_ref)
        projects = parsers.texts(port.get("project_id") for port in found if port.get("device_id"))
        instances = chain.from_iterable(self._instances(project_id=project) for project in sorted(projects))
        return parsers.ports(found, instances)

    def _rules(self, **parameters: Any) -> tuple[Rule, ...]:
        return tuple(map(parsers.rule, self._neutron("security-group-rules", **parameters)))

    def _groups(self, **parameters: Any) -> tuple[Group, ...]:
        found = list(self._neutron("security-groups", fields=parsers.GROUP_FIELDS, **parameters))
        shares = self._shares() if found else {}
        return tuple(parsers.group(item, shares, self._client.project_ref) for item in found)

    def _shares(self) -> dict[str, list[str]]:
        try:
            return parsers.shares(self._neutron("rbac-policies", object_type="security_group"))
        except ABSENT:  # an extension, which a cloud may lack
            self._view.untold.add("shared_with")
            return {}

    def _networks(self, **parameters: Any) -> Iterator[Network]:
        cidrs = parsers.cidrs(self._neutron("subnets", fields=("id", "network_id", "cidr")))
        for item in self._neutron("networks", fields=parsers.NETWORK_FIELDS, **parameters):
            yield parsers.network(item, cidrs)

    def _instances(self, **parameters: Any) -> tuple[Instance, ...]:
        read = partial(self._client.read, "compute", "/servers/detail", "servers")
        try:
            listed = self._read(read(all_tenants=1, **parameters))
        except CredentialsRefused:
            self._view.partial.add(Instance)  # no administrator: those of the own project
            listed = self._read(read())
        return (*listed, *self._left_out(listed, parameters.get("project_id")))

    def _left_out(self, listed: Iterable[Instance], project: str | None) -> Iterator[Instance]:
        """The known servers, of one project or of all, that Nova left out and does not say are gone.

        It leaves out those of a cell that is down: with a filter, on all pages but the first, and before 2.69. One
        of which nothing is to be learned is the last that is asked for: of the others there would not be either.
        """
        seen = parsers.texts(one.ref for one in listed) | {
            one.ref for one in self._view.hidden(self.known_instances)
        }
        known = (one for one in self.known_instances.values() if project in (None, one.tenant_ref))
        down = False
        for one in known:
            if one.ref in seen:
                continue
            found: Instance | None = parsers.unknown(one)
            if not down:
                try:
                    found = self._instance(one.ref)
                    down = found is not None and found.raw_power_state == parsers.UNKNOWN
                except CloudError as error:
                    down = not error.permanent
            if found:
                yield found

    def _read(self, servers: Iterable[dict[str, Any]]) -> tuple[Instance, ...]:
        region, known = self._client.region, self.known_instances
        found = (parsers.instance(server, region, parsers.of(known, server["id"])) for server in servers)
        return tuple(one for one in found if str(one.raw_power_state) not in parsers.GONE)

    def _tenants(self) -> list[Tenant]:
        partly = partial(self._view.partial.add, Tenant)
        try:
            return list(map(parsers.tenant, self._client.read("identity", "/projects", "projects", cut=partly)))
        except CredentialsRefused:
            partly()  # no administrator
            return [parsers.tenant(self._client.own_project())]

    def _instance(self, ref: str) -> Instance | None:
        """A server that is there to stay."""
        try:
            server = self._client.get("compute", f"/servers/{ref}", "server")
        except InstanceGone:
            return None
        return next(iter(self._read([server])), None)

    def _users(self, group_ref: str) -> str:
        """Which ports keep a group from being deleted."""
        try:
            found = self._ports_with(group_ref)
        except CloudError:
            found = ()
        ports = ", ".join(f"{port.ref} of {port.instance_ref or 'no instance'}" for port in found)
        return f"It is attached to the ports: {ports}." if ports else ""


def _chunks(refs: Iterable[str]) -> Iterator[list[str]]:
    ids = sorted(parsers.texts(refs))
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
