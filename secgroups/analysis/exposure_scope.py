"""What exposures count for users who see only some tenants: the ports and VMs that they see.

Whoever sees whole providers sees whatever has their groups, so the columns are right for them.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import BigIntegerField, Case, CharField, Exists, F, Field, OuterRef, QuerySet, Subquery, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from inventory.models import NetworkPort, Vm
from inventory.querysets import count_distinct
from inventory.rest.resources import ForViewer, Scoped
from inventory.restrictions import User, restriction_of
from secgroups.models import Membership


def _for_tenants(make: Callable[[User], Combinable], output_field: Field[object, object]) -> Scoped:
    def scoped(user: User) -> ForViewer | None:
        restriction = restriction_of(user)
        if restriction is None or not restriction.tenants:
            return None
        return ForViewer(make(user), output_field=output_field)

    return scoped


def _members(user: User) -> QuerySet[Membership]:
    """Of the group of an exposure, on ports that the user sees."""
    ports = NetworkPort.objects.filter(NetworkPort.objects.scope_of(user).q())
    return Membership.objects.filter(
        security_group=OuterRef("security_group"), network_port__in=ports.values("pk")
    )


def _public_members(user: User) -> QuerySet[Membership]:
    return _members(user).filter(network_port__public_ports__network_protocol=OuterRef("network_protocol"))


def _vms_of(members: QuerySet[Membership], user: User) -> Subquery:
    """How many VMs that the user sees have these."""
    vms = Vm.objects.filter(Vm.objects.scope_of(user).q())
    return Subquery(members.filter(vm__in=vms.values("pk")).order_by().values_list(count_distinct("vm")))


def _total_vms(user: User) -> Subquery:
    """As of the group: a VM that is seen has it, whichever port does."""
    return _vms_of(Membership.objects.filter(security_group=OuterRef("security_group")), user)


def _total_public_vms(user: User) -> Subquery:
    return _vms_of(_public_members(user), user)


def _severity(user: User) -> Case:
    return Case(
        When(Exists(_public_members(user)), then=F("severity")),
        When(Exists(_members(user)), then=Coalesce("private_severity", "severity")),
        default=Coalesce("unused_severity", "severity"),
    )


SCOPED = {
    "total_vms": _for_tenants(_total_vms, BigIntegerField()),
    "total_public_vms": _for_tenants(_total_public_vms, BigIntegerField()),
    "severity": _for_tenants(_severity, CharField()),
}
