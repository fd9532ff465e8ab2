"""The reads of this app, by name. Each read on behalf of a user starts with `visible_to` or `scope_of`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Self

from django.apps import apps
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Coalesce, Now

from inventory.db.conditions import NOTHING, Condition, compare, compare_by, fixed
from inventory.db.expressions import Collected
from inventory.db.lookups import LinkedAmong, Numbers
from inventory.drivers.protocols import WITH_PORTS
from inventory.drivers.values import EVERYBODY, Group
from inventory.models import NetworkPort, Vm
from inventory.querysets import OwnedQuerySet, TalliedQuerySet, TenantTalliedQuerySet
from inventory.restrictions import Restriction
from secgroups.traffic.severity import SEVERITIES

#: The order by severity, the worst first.
BY_SEVERITY = Case(*(When(severity=severity, then=Value(rank)) for rank, severity in enumerate(SEVERITIES))).asc()
#: The columns of `as_values` that are the same for all shares and networks of a group.
_but_related = itemgetter(slice(-2))


class SharedWithAny(LinkedAmong):
    """Whether a group (its id) is shared with one of these tenants."""

    links = "secgroups.SecurityGroup_shared_with"
    row, target = "securitygroup", "cloudtenant"


def _shared(restriction: Restriction, group: str = "") -> Condition:
    """The condition that a group is shared with one of the user's tenants. `group` is the foreign key to it."""
    if not restriction.tenants:
        return NOTHING
    prefix = f"{group}__" if group else ""
    with_all = compare(f"{prefix}shared", True) & compare(f"{prefix}provider__among", Numbers(restriction.named))
    return with_all | compare_by(SharedWithAny, F(group or "pk"), Numbers(restriction.tenants))


class MembershipQuerySet(OwnedQuerySet):
    owner = "security_group"
    provider = "security_group__provider"
    tenant = "security_group__cloud_tenant"

    def seen(self, restriction: Restriction) -> Condition:
        """Memberships whose group and port may both be seen."""
        port = restriction.condition("network_port__provider", "network_port__cloud_tenant")
        return (super().seen(restriction) | _shared(restriction, "security_group")) & port


class SecurityGroupQuerySet(TenantTalliedQuerySet):
    def seen(self, restriction: Restriction) -> Condition:
        """Also the groups that are shared with a tenant."""
        return super().seen(restriction) | _shared(restriction)

    def as_values(self) -> Iterator[Group]:
        """These groups as drivers' values, in their order."""
        return (group for _, group in self.as_values_by_pk())

    def as_values_by_pk(self) -> Iterator[tuple[int, Group]]:
        """The same with their ids.

        The order may continue with `shared_with__ems_ref` and `associated_networks__ems_ref`.
        """
        return self.values_of(self.for_values())

    def for_values(self) -> QuerySet[Any, Any]:
        """The rows that `values_of` takes, which a kept query may read."""
        related_refs = ("shared_with__ems_ref", "associated_networks__ems_ref")
        return self.values_list("pk", *self.model.mapping.paths.values(), "shared", *related_refs)

    def values_of(self, rows: Iterable[Any]) -> Iterator[tuple[int, Group]]:
        """The groups as drivers' values, with their ids."""
        mapping = self.model.mapping
        for (pk, *columns, shared), related in groupby(rows, _but_related):
            # The two joins give a row for each pair.
            pairs = [(share, associated) for *_, share, associated in related]
            shares, associated = (tuple(dict.fromkeys(filter(None, refs))) for refs in zip(*pairs, strict=True))
            everybody = (EVERYBODY,) if shared else ()
            yield pk, mapping.value(columns, shared_with=(*everybody, *shares), associated_network_refs=associated)

    def available_to(self, vm: Vm) -> Self:
        """The groups that an instance can have.

        If the cloud confines groups to networks (EC2), ports in the group's own and associated networks can have
        it. Otherwise (OpenStack), instances of its own tenant and of those that it is shared with can. An unknown
        network or tenant is not equal to anything. An instance can always have the groups that it already has.
        """
        fitting = self._in_networks_of(vm) if vm.provider.confines_groups else self._for_tenant_of(vm)
        attached = Q(pk__in=self.model._default_manager.filter(vms=vm.pk).values("pk"))
        return self.filter(fitting | attached, provider=vm.provider_id)

    def holders_of(self, group: Any) -> Q:
        """The condition for VMs that can have a group: the same as `available_to`, from the other side."""
        attached = Q(pk__in=group.memberships.filter(vm__isnull=False).values("vm"))
        if group.provider.confines_groups:
            networks = Q(cloud_network=group.cloud_network_id) if group.cloud_network_id else Q()
            networks |= Q(cloud_network__in=group.associated_networks.values("pk"))
            fitting = Q(pk__in=NetworkPort.objects.filter(networks, vm__isnull=False).values("vm"))
        elif group.shared:
            fitting = Q()
        else:
            shared = Q(cloud_tenant__in=group.shared_with.values("pk"))
            own = Q(cloud_tenant=group.cloud_tenant_id) if group.cloud_tenant_id else shared
            fitting = own | shared
        return Q(provider=group.provider_id) & (fitting | attached if fitting else Q())

    def _in_networks_of(self, vm: Vm) -> Q:
        networks = NetworkPort.objects.filter(vm=vm.pk).values("cloud_network")
        associations = self.model.associated_networks.through.objects.filter(cloudnetwork__in=networks)
        return Q(cloud_network__in=networks) | Q(pk__in=associations.values("securitygroup"))

    def _for_tenant_of(self, vm: Vm) -> Q:
        if vm.cloud_tenant_id is None:
            return Q(shared=True)
        shared = self.model._default_manager.filter(shared_with=vm.cloud_tenant_id).values("pk")
        return Q(shared=True) | Q(cloud_tenant=vm.cloud_tenant_id) | Q(pk__in=shared)


class _OfPorts(TalliedQuerySet):
    """Rows with a protocol and ports, of which null means any."""

    tenant = "security_group__cloud_tenant"

    def seen(self, restriction: Restriction) -> Condition:
        """Also those of groups that are shared with a tenant."""
        return super().seen(restriction) | _shared(restriction, "security_group")

    def for_ports(self, first: int, last: int) -> Self:
        """The rows that have some of these ports, by their range or because they have all ports.

        ICMP's type and code are not ports, and protocols like VRRP have none.
        """
        all_ports = Q(host_protocol=None) | Q(host_protocol__in=WITH_PORTS, port=None)
        overlapping = Q(host_protocol__in=WITH_PORTS, port__lte=last, last_port__gte=first)
        return self.alias(last_port=Coalesce("end_port", "port")).filter(all_ports | overlapping)


class FirewallRuleQuerySet(_OfPorts):
    pass


class ExpirationQuerySet(OwnedQuerySet):
    tenant = "security_group__cloud_tenant"

    def seen(self, restriction: Restriction) -> Condition:
        """Those whose group and instance may both be seen; of rules, those of the user's own groups.

        Why somebody opened a shared group for a while is not the business of those that it is shared with.
        """
        of_vm = restriction.condition("vm__provider", "vm__cloud_tenant")
        own = super().seen(restriction) & (fixed(Q(vm=None), recurs=True) | of_vm)
        return own | (_shared(restriction, "security_group") & of_vm)

    def settled(self) -> Self:
        """Without those whose tasks are still at work."""
        return self.filter(Q(noted__isnull=True) | Q(task=None) | Q(task__state="Finished"))

    def due(self) -> Self:
        """Those to take back by now, by the database's clock, that no task is about to take back.

        If the provider is disabled, it is not asked. They stay due until it is enabled.
        """
        tasks = apps.get_model("inventory", "Task").objects.unfinished()
        busy = Exists(tasks.filter(pk=OuterRef("removal"))) | Exists(tasks.filter(pk=OuterRef("task")))
        enabled = {"provider__enabled": True, "provider__deleted_on": None}
        return self.filter(~busy, due_on__lte=Now(), **enabled).order_by("due_on")


class ExposureQuerySet(_OfPorts):
    def seen(self, restriction: Restriction) -> Condition:
        """Without those that would show the entries of lists outside.

        Whatever opens a service to everybody shows nothing of a list that opens it as well.
        """
        scope = super().seen(restriction)
        if not restriction.tenants:  # whole providers, with their lists
            return scope
        lists = apps.get_model("secgroups", "AddressList").objects.all()
        visible = lists.filter(lists.seen(restriction).q()).values("pk")
        links = self.model.firewall_rules.through.objects.filter(exposure=OuterRef("pk"))
        listed = links.filter(firewallrule__source_address_list__isnull=False)
        everybody = links.filter(firewallrule__source_address_list=None, firewallrule__source_ip_range=None)
        anywhere = links.filter(firewallrule__source_ip_range__in=("0.0.0.0/0", "::/0"))
        hidden = Exists(listed.exclude(firewallrule__source_address_list__in=visible))
        return scope & fixed(~Q(hidden) | Q(Exists(everybody)) | Q(Exists(anywhere)))

    def described(self) -> Self:
        """Add the ids of the rules of each exposure, as text."""
        links = self.model.firewall_rules.through.objects.filter(exposure=OuterRef("pk")).order_by("firewallrule")
        ids = links.annotate(rule=Cast("firewallrule", TextField())).values("rule")
        return self.annotate(rule_ids=Collected(ids))
