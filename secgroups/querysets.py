"""The reads of this app, by name. Each read on behalf of a user starts with `visible_to`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Self

from django.db.models import Q

from inventory.drivers.values import Group
from inventory.models import Provider, Vm
from inventory.querysets import ResourceQuerySet


class SecurityGroupQuerySet(ResourceQuerySet):
    def as_values(self, provider: Provider, refs: Collection[str]) -> Iterator[Group]:
        """Those of these groups that are known, in the words of the drivers."""
        rows = self.filter(provider=provider, ems_ref__in=refs)
        for row in rows.select_related("cloud_tenant", "cloud_network").prefetch_related("shared_with"):
            yield row.as_value()

    def available_to(self, vm: Vm) -> Self:
        """The groups that an instance can have.

        A group that its cloud confines to a network (EC2) goes on ports in that network; any other (OpenStack)
        goes on instances of its own tenant and of those that it is shared with. What an instance has it can have,
        wherever that comes from (EC2 lets groups of another network be associated).
        """
        networks = vm.network_ports.values("cloud_network")
        of_tenant = Q(cloud_network=None, cloud_tenant=vm.cloud_tenant_id)
        groups = self.model._default_manager
        shared = Q(shared=True) | Q(pk__in=groups.filter(shared_with=vm.cloud_tenant_id).values("pk"))
        has = Q(pk__in=groups.filter(vms=vm.pk).values("pk"))
        return self.filter(Q(cloud_network__in=networks) | of_tenant | shared | has, provider=vm.provider_id)
