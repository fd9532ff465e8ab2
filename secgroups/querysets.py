"""The reads of this app, by name. Each read on behalf of a user starts with `visible_to`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Self

from django.db.models import Q
from django.db.models.functions import Coalesce

from inventory.drivers.protocols import WITH_PORTS
from inventory.drivers.values import EVERYBODY, Group
from inventory.models import NetworkPort, Vm
from inventory.querysets import OwnedQuerySet, TalliedQuerySet

#: Of a row of `as_values` what is the same for each tenant that the group is shared with.
_but_share = itemgetter(slice(-1))


class MembershipQuerySet(OwnedQuerySet):
    owner = "security_group"


class SecurityGroupQuerySet(TalliedQuerySet):
    def as_values(self) -> Iterator[Group]:
        """These groups in the words of the drivers, in their order, which may go on by `shared_with__ems_ref`."""
        rows = self.values_list(
            "ems_ref",
            "name",
            "description",
            "cloud_tenant__ems_ref",
            "cloud_network__ems_ref",
            "stateful",
            "shared",
            "shared_with__ems_ref",
        )
        for (ref, name, description, tenant, network, stateful, shared), shares in groupby(rows, _but_share):
            tenants = tuple(share for *_, share in shares if share)
            everybody = (EVERYBODY,) if shared else ()
            yield Group(ref, name, description, tenant, network, stateful, (*everybody, *tenants))

    def available_to(self, vm: Vm) -> Self:
        """The groups that an instance can have.

        A group that its cloud confines to a network (EC2) goes on ports in that network; any other (OpenStack)
        goes on instances of its own tenant and of those that it is shared with. What an instance has it can have,
        wherever that comes from (EC2 lets groups of another network be associated).
        """
        networks = NetworkPort.objects.filter(vm=vm.pk).values("cloud_network")
        of_tenant = Q(cloud_network=None, cloud_tenant=vm.cloud_tenant_id)
        groups, shared = self.model._default_manager, Q(shared=True)
        if vm.cloud_tenant_id is not None:
            shared |= Q(pk__in=groups.filter(shared_with=vm.cloud_tenant_id).values("pk"))
        has = Q(pk__in=groups.filter(vms=vm.pk).values("pk"))
        return self.filter(Q(cloud_network__in=networks) | of_tenant | shared | has, provider=vm.provider_id)


class FirewallRuleQuerySet(TalliedQuerySet):
    def for_ports(self, first: int, last: int) -> Self:
        """The rules that let some of these ports through, by their range or because they let all ports through.

        The type and the code of ICMP are no ports, and a protocol like VRRP has none.
        """
        everything = Q(host_protocol=None) | Q(host_protocol__in=WITH_PORTS, port=None)
        some = Q(host_protocol__in=WITH_PORTS, port__lte=last, last_port__gte=first)
        return self.alias(last_port=Coalesce("end_port", "port")).filter(everything | some)
