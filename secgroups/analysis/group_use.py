"""What uses security groups: ports, and rules of other groups."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypedDict

from django.db.models import Count, Exists, F, Model, OuterRef, Q

from inventory.db.lookups import Numbers
from inventory.models import Provider
from inventory.querysets import scope_of
from inventory.restrictions import User, restriction_of
from secgroups.models import FirewallRule, Membership, SecurityGroup

#: The name that clouds reserve for the group of whatever has none. It can't be deleted.
DEFAULT = "default"


class Use(TypedDict):
    """How many visible ports, VMs and rules use a group. `deletable` is about all of them, visible or not.

    What `not_considered` names is not read from the cloud.
    """

    network_ports: int
    vms: int
    firewall_rules: int
    deletable: bool
    not_considered: list[str]


def in_use(user: User | None = None) -> Q:
    """Whether a port has a group, a rule of another group names it, or it is a tenant's or network's default.

    With a user, only ports and rules that they may see count.
    """
    members = Membership.objects.filter(_scope(user, Membership), security_group=OuterRef("pk"))
    rules = FirewallRule.objects.filter(_scope(user, FirewallRule), source_security_group=OuterRef("pk"))
    return Q(Exists(members)) | Q(Exists(rules.exclude(security_group=OuterRef("pk")))) | Q(name=DEFAULT)


def _scope(user: User | None, model: type[Model]) -> Q:
    return Q() if user is None else scope_of(user, model).q()


def _seen_vm(user: User) -> Q:
    """Whether the user may see the VM of a membership. A port and its VM can have different tenants."""
    restriction = restriction_of(user)
    return Q() if restriction is None else restriction.condition("vm__provider", "vm__cloud_tenant").q()


def uses_of(groups: Collection[int], user: User) -> Mapping[int, Use]:
    """What uses each of these groups (ids)."""
    members = Membership.objects.visible_to(user).filter(security_group__among=Numbers(groups)).order_by()
    vms = Count("vm", filter=_seen_vm(user), distinct=True)
    counts = members.values_list("security_group").annotate(ports=Count("pk"), vms=vms)
    ports_and_vms = {group: (ports, vms) for group, ports, vms in counts}
    rules = FirewallRule.objects.visible_to(user).filter(source_security_group__among=Numbers(groups)).order_by()
    others = rules.exclude(security_group=F("source_security_group"))
    by_rules = dict(others.values_list("source_security_group").annotate(Count("pk")))
    rows = SecurityGroup.objects.filter(pk__among=Numbers(groups))
    not_deletable = set(rows.filter(in_use()).values_list("pk", flat=True))
    providers = dict(rows.values_list("pk", "provider"))
    used = Provider.objects.filter(pk__in=set(providers.values())).only("vendor")
    drivers = {each.pk: each.driver_class for each in used}
    uses: dict[int, Use] = {}
    for pk, provider in providers.items():
        ports, vms = ports_and_vms.get(pk, (0, 0))
        driver = drivers[provider]
        uses[pk] = {
            "network_ports": ports,
            "vms": vms,
            "firewall_rules": by_rules.get(pk, 0),
            "deletable": pk not in not_deletable,
            "not_considered": list(driver.users_not_considered) if driver else [],
        }
    return uses
