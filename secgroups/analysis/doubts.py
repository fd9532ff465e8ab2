"""Rules of which it is not known whether they let some addresses through."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from inventory.db.conditions import EVERYTHING
from inventory.db.lookups import Numbers, Texts
from inventory.rest.reading.kept import kept
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis import messages
from secgroups.analysis.covering import Form, RuleSet, known_lists, letting, of_all_services, of_rules
from secgroups.analysis.members import without_network
from secgroups.analysis.networks import Places, confining
from secgroups.analysis.rule_services import with_services
from secgroups.models import ODD, Membership
from secgroups.traffic.addresses import networks
from secgroups.traffic.services import Service

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
    pks = _of_groups(rules)
    for rows in (*_unknown_sides(rules), rules.read(_unfit)):
        pks.update(pk for (pk,) in rows)
    if not pks:
        return []
    doubtful = list(rules.read(_of_instances, None, at_most, pks=Numbers(sorted(pks))))
    groups = {pk for _, group, _, source, *_ in doubtful for pk in (group, source or 0)}
    names = dict(_names(rules.viewer, groups))
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


@of_rules
def _unfit(rules: QuerySet[Any], groups: QuerySet[Any], form: Form, **values: Any) -> QuerySet[Any, Any]:
    rows = of_all_services(rules, groups, form, values).filter(ODD).exclude(with_services(None, {}))
    return rows.values_list("pk")[:_LOOKED_AT]  # type: ignore[no-any-return]


@of_rules
def _of_instances(
    rules: QuerySet[Any], groups: QuerySet[Any], form: Form, at_most: int, **values: Any
) -> QuerySet[Any, Any]:
    members = Membership.objects.filter(security_group=OuterRef("security_group"), vm__isnull=False)
    rows = of_all_services(rules, groups, form, values).filter(Exists(members), pk__among=values["pks"])
    return rows.order_by("pk").values_list(*_COLUMNS)[:at_most]  # type: ignore[no-any-return]


@kept("security_groups")
def _named(rows: QuerySet[Any], groups: Any) -> QuerySet[Any, Any]:
    return rows.filter(pk__among=groups).values_list("pk", "name")


def _names(viewer: Viewer, groups: Collection[int]) -> Any:
    """The ids of those of these groups that the viewer may see, with their names."""
    return _named(viewer, groups=Numbers(groups))


def _unknown_sides(rules: RuleSet) -> Iterator[Iterable[Sequence[Any]]]:
    """Rules for ranges that are none or of another family, and for lists without entries."""
    sides = [side for side in rules.sides if side[0] is not None]
    texts = {text for text, listed, family in sides if text and not listed and _is_unknown(text, family, rules)}
    lists = {listed for _, listed, _ in sides if listed}
    if lists:
        lists -= {pk for pk, _ in known_lists(rules.viewer, lists=Numbers(lists))}
    if texts:
        yield rules.read(_of_texts, texts=Texts(texts))
    if lists:
        yield rules.read(_of_lists, lists=Numbers(lists))


@of_rules
def _of_texts(rules: QuerySet[Any], groups: QuerySet[Any], form: Form, **values: Any) -> QuerySet[Any, Any]:
    rows = letting(rules, groups, form, values).filter(source_security_group=None, source_address_list=None)
    return rows.filter(source_ip_range__among=values["texts"]).values_list("pk")[:_LOOKED_AT]  # type: ignore[no-any-return]


@of_rules
def _of_lists(rules: QuerySet[Any], groups: QuerySet[Any], form: Form, **values: Any) -> QuerySet[Any, Any]:
    rows = letting(rules, groups, form, values).filter(source_security_group=None, source_ip_range__isnull=False)
    return rows.filter(source_address_list__among=values["lists"]).values_list("pk")[:_LOOKED_AT]  # type: ignore[no-any-return]


@of_rules
def _naming(rules: QuerySet[Any], groups: QuerySet[Any], form: Form, **values: Any) -> QuerySet[Any, Any]:
    rows = letting(rules, groups, form, values).exclude(source_security_group=None)
    return rows.values_list("pk", "source_security_group", "security_group", "provider")  # type: ignore[no-any-return]


def _is_unknown(text: str, family: str | None, rules: RuleSet) -> bool:
    try:
        there = networks(text)
    except ValueError:
        return True
    return family is not None and not there & rules.every


def _of_groups(rules: RuleSet) -> set[int]:
    """The ids of rules that name groups of whose members not all is known, or that may not mean them there."""
    named = list(rules.read(_naming)) if rules.sources else []
    if not named:
        return set()
    groups = {group for _, group, *_ in named}
    # Whatever the rules name since the sources were read is not known either.
    unknown = rules.unknown | (groups - rules.sources)
    if rules.viewer.scope(get_resource_type("security_groups")) is not EVERYTHING:
        unknown |= groups.difference(pk for pk, _ in _names(rules.viewer, groups))
    confined = confining({provider for *_, provider in named})
    apart = _apart([(pk, group, having) for pk, group, having, provider in named if provider in confined])
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
