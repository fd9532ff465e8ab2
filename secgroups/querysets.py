"""The reads of this app, by name. Each read on behalf of a user starts with `visible_to`."""

from __future__ import annotations

from typing import Self

from django.db.models import Q

from inventory.models import Vm
from inventory.querysets import ResourceQuerySet


class SecurityGroupQuerySet(ResourceQuerySet):
    def available_to(self, vm: Vm) -> Self:
        """The groups that an instance can have.

        A group that its cloud confines to a network (EC2) goes on ports in that network; any other (OpenStack)
        goes on instances of its own tenant. What an instance has it can have, wherever that comes from (EC2 lets
        groups of another network be associated).
        """
        networks = vm.network_ports.values("cloud_network")
        of_tenant = Q(cloud_network=None, cloud_tenant=vm.cloud_tenant_id)
        has = Q(pk__in=self.model._default_manager.filter(vms=vm.pk).values("pk"))
        return self.filter(Q(cloud_network__in=networks) | of_tenant | has, provider=vm.provider_id)
