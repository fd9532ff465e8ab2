"""Bringing exposures up to date, for the groups that triggers have marked; see `models.TouchedGroup`.

Every writer of rules, address lists, memberships or ports calls this in its own transaction, as the last thing. So
exposures are right as soon as what they follow from can be seen. What others leave behind, such as a deletion or a
migration, is worked off by the next refresh of the provider or by `settle_leftovers`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from inventory.db.bulk import among, copy_rows, new_ids, update_rows
from inventory.db.counting import numbers_of_each
from inventory.db.locks import lock
from inventory.db.lookups import Numbers
from inventory.db.marks import marked_by_this_transaction
from secgroups.models import (
    AddressList,
    Exposure,
    FirewallRule,
    Membership,
    PublicPort,
    SecurityGroup,
    TouchedGroup,
)
from secgroups.traffic.addresses import EVERYWHERE, FAMILIES, Family, cidrs, is_surely_private, networks
from secgroups.traffic.effective import Line, OtherSide
from secgroups.traffic.exposure import Exposure as Split
from secgroups.traffic.exposure import exposures
from secgroups.traffic.ranges import NOTHING, Ranges
from secgroups.traffic.services import Service
from secgroups.traffic.severity import Holder, severity
from secgroups.traffic.well_known import name_of

#: Groups whose rules and rows are in memory at a time.
BATCH = 1_000

#: What tells the rows of a provider apart. A row keeps its id while these stay.
_KEY = ("security_group_id", "network_protocol", "host_protocol", "port", "end_port")
_VALUES = (
    "service", "source_ip_ranges", "breadth", "severity", "private_severity", "unused_severity", "total_vms",
    "total_public_vms",
)  # fmt: skip
_RULE = (
    "pk", "security_group", "provider", "network_protocol", "host_protocol", "port", "end_port", "source_ip_range",
    "source_address_list",
)  # fmt: skip
_LINKS: Any = Exposure.firewall_rules.through
_LINK = ("exposure_id", "firewallrule_id")

Key = tuple[Any, ...]


@transaction.atomic(savepoint=False)
def settle_exposures(provider: int, *, own: bool = False, batches: int = sys.maxsize) -> None:
    """Bring the exposures of a provider's marked groups up to date, at most so many batches.

    With `own`, only of those that this transaction has marked. Writers of the same provider wait for each other
    here. Otherwise each would count without what the other has not yet committed.
    """
    marks = _marks_of(provider).filter(marked_by_this_transaction() if own else Q()).order_by("pk")
    if not marks.exists():
        return
    lock(f"exposures/{provider}")
    while batches and (batch := list(marks.values_list("pk", "security_group")[:BATCH])):
        _settle({group for _, group in batch})
        TouchedGroup.objects.filter(pk__in=among(pk for pk, _ in batch)).delete()
        batches -= 1


def settle_leftovers() -> None:
    """Bring the exposures of all marked groups up to date, batch by batch, and forget marks of groups that go."""
    staying = SecurityGroup.objects.filter(pk=OuterRef("security_group"), provider__deleted_on=None)
    TouchedGroup.objects.filter(~Exists(staying)).delete()
    groups = SecurityGroup.objects.filter(pk__in=TouchedGroup.objects.values("security_group"))
    for provider in list(groups.order_by().values_list("provider", flat=True).distinct()):
        while _marks_of(provider).exists():
            settle_exposures(provider, batches=1)


def _marks_of(provider: int) -> QuerySet[TouchedGroup]:
    groups = SecurityGroup.objects.filter(pk=OuterRef("security_group"), provider=provider)
    return TouchedGroup.objects.filter(Exists(groups))


def _settle(groups: Collection[int]) -> None:
    """Make the rows of these groups what their rules and members say."""
    wanted = dict(_wanted(groups))
    rows = Exposure.objects.filter(security_group__among=Numbers(groups))
    existing: dict[Key, tuple[int, Sequence[Any]]] = {}
    for pk, *columns in rows.values_list("pk", *_KEY, *_VALUES):
        existing[tuple(columns[: len(_KEY)])] = pk, columns[len(_KEY) :]
    if gone := [pk for key, (pk, _) in existing.items() if key not in wanted]:
        _LINKS.objects.filter(exposure__in=among(gone)).delete()
        Exposure.objects.filter(pk__in=among(gone)).delete()
    ids = {key: pk for key, (pk, _) in existing.items() if key in wanted}
    differing = [key for key in ids if existing[key][1] != wanted[key].values]
    update_rows(Exposure, _VALUES, ([ids[key], *wanted[key].values] for key in differing))
    new = [key for key in wanted if key not in ids]
    ids |= zip(new, new_ids(Exposure, len(new)), strict=True)
    copy_rows(
        Exposure,
        ("id", "provider_id", *_KEY, *_VALUES),
        ((ids[key], wanted[key].provider, *key, *wanted[key].values) for key in new),
    )
    _link({ids[key]: row.rules for key, row in wanted.items()})


def _link(rules: Mapping[int, Collection[int]]) -> None:
    """Give each exposure (primary key) exactly these rules (primary keys)."""
    rows = _LINKS.objects.filter(exposure__in=among(rules))
    existing = {(exposure, rule): pk for pk, exposure, rule in rows.values_list("pk", *_LINK)}
    wanted = {(exposure, rule) for exposure, of_exposure in rules.items() for rule in of_exposure}
    if gone := existing.keys() - wanted:
        _LINKS.objects.filter(pk__in=among(existing[pair] for pair in gone)).delete()
    copy_rows(_LINKS, _LINK, sorted(wanted - existing.keys()))


@dataclass(frozen=True, slots=True)
class _Row:
    """What a row has beside its key."""

    provider: int
    values: list[Any]
    rules: frozenset[int]


def _wanted(groups: Collection[int]) -> Iterator[tuple[Key, _Row]]:
    """The rows that these groups must have."""
    rules = list(_inbound_rules(groups))
    providers = {group: provider for _, group, provider, *_ in rules}
    lines = defaultdict(list)
    entries = _entries({address_list for *_, address_list in rules if address_list})
    for pk, group, _, family, protocol, port, end_port, source_range, source_list in rules:
        if there := _addresses(family, source_range, source_list, entries):
            service = Service(protocol, port, end_port)
            lines[group].append(Line("inbound", family, service, OtherSide(), there, because_of=frozenset({pk})))
    open_groups = {group: found for group, of_group in lines.items() if (found := exposures(of_group))}
    holders = _holders(open_groups)
    for group, found in open_groups.items():
        for split in found:
            yield (
                (group, split.family, *split.service),
                _Row(providers[group], _values(split, holders[group]), split.rules),
            )


def _inbound_rules(groups: Collection[int]) -> QuerySet[Any, Any]:
    """The rules that may open a group to the public. Whoever has a group that a rule names is of the inventory."""
    rows = FirewallRule.objects.filter(security_group__among=Numbers(groups), direction="inbound")
    return rows.filter(source_security_group=None).order_by().values_list(*_RULE)


def _entries(lists: Collection[int]) -> dict[int, Ranges | None]:
    """The entries of lists of addresses; None if they are not known."""
    if not lists:
        return {}
    rows = AddressList.objects.filter(pk__among=Numbers(lists)).values_list("pk", "entries")
    return {pk: None if texts is None else _networks(*texts) for pk, texts in rows}


def _networks(*texts: str) -> Ranges | None:
    try:
        return networks(*texts)
    except ValueError:
        return None  # the cloud's own name


def _addresses(
    family: Family | None, source_range: str | None, source_list: int | None, entries: Mapping[int, Ranges | None]
) -> Ranges | None:
    """The addresses at the other side of a rule, without some that are private; None if they are not known."""
    every = FAMILIES[family] if family else EVERYWHERE
    if source_list:
        there = entries.get(source_list)
    elif source_range is None:
        return every
    elif is_surely_private(source_range):
        return NOTHING
    else:
        there = _networks(source_range)
    return there and there & every


@dataclass(slots=True)
class _Holders:
    """What has a group: all ports and VMs, and by family those with a public address."""

    ports: int = 0
    vms: int = 0
    public_ports: dict[Family, int] = field(default_factory=dict)
    public_vms: dict[Family, int] = field(default_factory=dict)

    def in_family(self, family: Family) -> Holder:
        if self.public_ports.get(family):
            return "public"
        return "private" if self.ports else "nothing"


def _holders(groups: Mapping[int, Collection[Split]]) -> dict[int, _Holders]:
    """What has each of these groups, in the families of its exposures."""
    holders = {group: _Holders() for group in groups}
    members = Membership.objects.filter(security_group__among=Numbers(groups))
    for group, ports, vms in numbers_of_each(members, "security_group", "vm"):
        holders[group].ports, holders[group].vms = ports, vms
    for family in {split.family for found in groups.values() for split in found}:
        public = PublicPort.objects.filter(network_protocol=family).values("network_port")
        public_members = members.filter(network_port__in=public)
        for group, ports, vms in numbers_of_each(public_members, "security_group", "vm"):
            holders[group].public_ports[family], holders[group].public_vms[family] = ports, vms
    return holders


def _values(split: Split, holders: _Holders) -> list[Any]:
    held: tuple[Holder, ...] = (holders.in_family(split.family), "private", "nothing")
    return [
        name_of(split.service),
        list(cidrs(split.ranges)),
        split.breadth,
        *(severity(split.service, split.breadth, holder) for holder in held),
        holders.vms,
        holders.public_vms.get(split.family, 0),
    ]
