"""Rules of which it is not known whether they let some addresses through."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from inventory.db.lookups import Numbers, Texts
from inventory.rest.resources import get_resource_type
from secgroups.analysis import messages
from secgroups.analysis.covering import Covering, Places
from secgroups.analysis.members import with_unknown_members, without_network
from secgroups.analysis.networks import confining
from secgroups.analysis.rule_services import with_services
from secgroups.models import Membership
from secgroups.traffic.addresses import networks
from secgroups.traffic.services import EVERY_SERVICE, Service

_COLUMNS = (
    "pk", "security_group", "security_group__name", "source_ip_range", "source_security_group__name",
    "host_protocol", "port", "end_port",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Doubt:
    """A rule (its id) of a group, and what is not known of it."""

    rule: int
    group: int
    group_name: str
    message: str


def doubts(covering: Covering, at_most: int) -> list[Doubt]:
    """The first rules that may let through what a covering is about, and are not known, of instances only."""
    rules = covering.rules(covering.services).filter(covering.of_family)
    unfit = covering.rules(None).exclude(with_services(EVERY_SERVICE))
    pks: set[int] = set()
    for rows in (rules.filter(_unknown_sides(rules, covering)), unfit, *_of_groups(rules, covering)):
        members = Membership.objects.filter(security_group=OuterRef("security_group"), vm__isnull=False)
        pks.update(rows.filter(Exists(members)).order_by("pk").values_list("pk", flat=True)[:at_most])
    shown = covering.rules(None).filter(pk__among=Numbers(islice(sorted(pks), at_most))).order_by("pk")
    return [_doubt(*row) for row in shown.values_list(*_COLUMNS)]


def _doubt(rule: int, group: int, name: str, side: str | None, source: str | None, *service: Any) -> Doubt:
    asked = Service(*service)
    if asked.range() is None:
        return Doubt(rule, group, name, messages.service_not_known(asked))
    return Doubt(rule, group, name, messages.not_known(source or side or ""))


def _unknown_sides(rules: QuerySet[Any], covering: Covering) -> Q:
    """Ranges that are none or of another family, and lists without entries."""
    named = rules.order_by().filter(source_security_group=None, source_ip_range__isnull=False)
    sides = list(named.values_list("source_ip_range", "source_address_list", "network_protocol").distinct())
    texts = {text for text, listed, family in sides if not listed and _is_unknown(text, family, covering)}
    lists = {listed for _, listed, _ in sides if listed}
    known = covering.viewer.visible(get_resource_type("address_lists")).filter(pk__among=Numbers(lists))
    lists -= set(known.filter(entries__isnull=False).values_list("pk", flat=True))
    plain = Q(source_address_list=None, source_ip_range__among=Texts(texts))
    listed = Q(source_ip_range__isnull=False, source_address_list__among=Numbers(lists))
    return Q(source_security_group=None) & (plain | listed)


def _is_unknown(text: str, family: str | None, covering: Covering) -> bool:
    try:
        there = networks(text)
    except ValueError:
        return True
    return family is not None and not there & covering.every


def _of_groups(rules: QuerySet[Any], covering: Covering) -> Iterable[QuerySet[Any]]:
    """Rules that name groups of whose members not all is known, or that the rule may not mean there."""
    naming = rules.exclude(source_security_group=None).order_by()
    columns = ("source_security_group", "security_group", "provider")
    named = set(naming.values_list(*columns).distinct())
    groups = {group for group, *_ in named}
    visible = covering.viewer.visible(get_resource_type("security_groups")).filter(pk__among=Numbers(groups))
    unknown = with_unknown_members(groups, covering.viewer) | groups - set(visible.values_list("pk", flat=True))
    yield naming.filter(source_security_group__among=Numbers(unknown))
    confined = confining({provider for *_, provider in named})
    pairs = [(group, having) for group, having, provider in named if provider in confined]
    if pairs:
        yield naming.filter(_apart(pairs))


def _apart(pairs: Collection[tuple[int, int]]) -> Q:
    """Rules of a group that name a group of other networks, or with a member whose network is not known."""
    placeless = without_network({group for group, _ in pairs})
    places = Places({group for pair in pairs for group in pair})
    apart = Q(source_security_group__among=Numbers(placeless))
    for group, having in pairs:
        if not places.of(having) <= places.around(group):
            apart |= Q(security_group=having, source_security_group=group)
    return apart
