"""Rules of which it is not known whether they let some addresses through."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers, Texts
from inventory.rest.resources import get_resource_type
from secgroups.analysis import messages
from secgroups.analysis.covering import RuleSet
from secgroups.analysis.members import without_network
from secgroups.analysis.networks import Places, confining
from secgroups.analysis.rule_services import with_services
from secgroups.models import ODD, Membership
from secgroups.traffic.addresses import networks
from secgroups.traffic.services import EVERY_SERVICE, Service

_COLUMNS = (
    "pk", "security_group", "source_ip_range", "source_security_group", "host_protocol", "port", "end_port",
)  # fmt: skip


#: How many rules of a kind are looked at. Of a group that no instance has, none is told.
_LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True)
class Doubt:
    """A rule (its id) of a group, and what is not known of it."""

    rule: int
    group: int
    group_name: str
    message: str


def doubts(rules: RuleSet, at_most: int) -> list[Doubt]:
    """The first rules that may let through what is asked, and are not known, of instances only."""
    unfit = rules.of_all_services.filter(ODD).exclude(with_services(EVERY_SERVICE))
    pks = _of_groups(rules)
    for rows in (*_unknown_sides(rules), unfit):
        pks.update(rows.order_by().values_list("pk", flat=True)[:_LOOKED_AT])
    if not pks:
        return []
    members = Membership.objects.filter(security_group=OuterRef("security_group"), vm__isnull=False)
    shown = rules.of_all_services.filter(Exists(members), pk__among=Numbers(sorted(pks))).order_by("pk")
    doubtful = list(shown.values_list(*_COLUMNS)[:at_most])
    groups = {pk for _, group, _, source, *_ in doubtful for pk in (group, source or 0)}
    visible = rules.viewer.visible(get_resource_type("security_groups")).filter(pk__among=Numbers(groups))
    names = dict(visible.values_list("pk", "name"))
    return [
        Doubt(rule, group, names[group], _message(side, source, names, Service(*service)))
        for rule, group, side, source, *service in doubtful
        if group in names
    ]


def _message(side: str | None, source: int | None, names: Mapping[int, str], service: Service) -> str:
    if service.range() is None:
        return messages.service_not_known(service)
    if source and source not in names:
        return messages.HIDDEN_RULE
    return messages.not_known(names[source] if source else side or "")


def _unknown_sides(rules: RuleSet) -> Iterator[QuerySet[Any]]:
    """Rules for ranges that are none or of another family, and for lists without entries."""
    sides = [side for side in rules.sides if side[0] is not None]
    texts = {text for text, listed, family in sides if text and not listed and _is_unknown(text, family, rules)}
    lists = {listed for _, listed, _ in sides if listed}
    if lists:
        known = rules.viewer.visible(get_resource_type("address_lists")).filter(pk__among=Numbers(lists))
        lists -= set(known.filter(entries__isnull=False).values_list("pk", flat=True))
    named = rules.letting(rules.services).filter(source_security_group=None)
    if texts:
        yield named.filter(source_address_list=None, source_ip_range__among=Texts(texts))
    if lists:
        yield named.filter(source_ip_range__isnull=False, source_address_list__among=Numbers(lists))


def _is_unknown(text: str, family: str | None, rules: RuleSet) -> bool:
    try:
        there = networks(text)
    except ValueError:
        return True
    return family is not None and not there & rules.every


def _of_groups(rules: RuleSet) -> set[int]:
    """The ids of rules that name groups of whose members not all is known, or that may not mean them there."""
    columns = ("pk", "source_security_group", "security_group", "provider")
    naming = rules.letting(rules.services).exclude(source_security_group=None)
    named = list(naming.order_by().values_list(*columns))
    if not named:
        return set()
    groups = {group for _, group, *_ in named}
    unknown = rules.unknown(groups)
    group_type = get_resource_type("security_groups")
    if rules.viewer.scope(group_type) is not EVERYTHING:
        visible = rules.viewer.visible(group_type).filter(pk__among=Numbers(groups))
        unknown |= groups - set(visible.values_list("pk", flat=True))
    confined = confining({provider for *_, provider in named})
    apart = _apart([rule[:3] for rule in named if rule[-1] in confined])
    return apart | {pk for pk, group, *_ in named if group in unknown}


def _apart(named: Collection[tuple[int, int, int]]) -> set[int]:
    """Rules (their ids, whom they name, and their groups) whose group has other networks than the named one."""
    if not named:
        return set()
    placeless = without_network({group for _, group, _ in named})
    places = Places({group for _, *pair in named for group in pair})
    return {
        pk for pk, group, having in named if group in placeless or not places.of(having) <= places.around(group)
    }
