"""What changes of instances would do, for the page before their button."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from django.http import HttpRequest

from inventory.admin.columns import visible_rows
from inventory.models import NetworkPort, Vm
from inventory.rest.resources import Viewer
from secgroups.admin.explained import Row, Some, row
from secgroups.plan import Action
from secgroups.previews import PortPreview, Preview, Previews, preview_changes
from secgroups.previews.values import Warned
from secgroups.services import GroupReference
from secgroups.traffic.effective import Line

#: How many instances a page previews, how many changes it shows in all, and how many lines of each.
INSTANCES, CHANGES, LINES = 20, 100, 50


class Group(NamedTuple):
    """A group by its name. It has no id if only the cloud knows it."""

    pk: int | None
    name: str


class Port(NamedTuple):
    pk: int | None
    name: str
    before: list[Group]
    after: list[Group]


class Change(NamedTuple):
    """One change of one instance. `status` and `message` are those of its task."""

    vm: Vm
    group: str
    status: str
    message: str
    as_of: datetime | None
    ports: list[Port]
    appear: Some[Row]
    disappear: Some[Row]
    warnings: Sequence[Warned]


class Changes(NamedTuple):
    """The first changes. Of those of `more_vms` instances, there is no preview."""

    shown: list[Change]
    more: int
    more_vms: int


def preview(
    request: HttpRequest, action: Action, vms: Sequence[Vm], references: Sequence[GroupReference]
) -> Changes:
    """Preview these changes of each instance, each on top of those before it."""
    previewed = vms[:INSTANCES]
    ports = visible_rows(NetworkPort, request).filter(vm__in=[vm.pk for vm in previewed])
    names = {port.pk: str(port) for port in ports.only("name", "ems_ref")}
    number = len(previewed) * len(references)
    shown = islice(_changes(previewed, action, references, Viewer(request.user), names), CHANGES)
    return Changes(list(shown), max(number - CHANGES, 0), len(vms) - len(previewed))


def _changes(
    vms: Iterable[Vm],
    action: Action,
    references: Sequence[GroupReference],
    viewer: Viewer,
    port_names: Mapping[int, str],
) -> Iterator[Change]:
    for vm in vms:
        previews = preview_changes(vm=vm, action=action, references=references, viewer=viewer)
        for reference, change in zip(references, previews.changes, strict=True):
            yield _change(vm, reference, change, previews, port_names)


def _change(
    vm: Vm, reference: GroupReference, change: Preview, previews: Previews, port_names: Mapping[int, str]
) -> Change:
    def rows(lines: Sequence[Line]) -> Some[Row]:
        return Some.of((row(line, previews.rulebook, port_names) for line in lines), len(lines), LINES)

    return Change(
        vm,
        reference.label,
        change.status,
        change.message,
        change.as_of,
        [_port(port, previews, port_names) for port in change.ports],
        rows(change.appear),
        rows(change.disappear),
        change.warnings,
    )


def _port(port: PortPreview, previews: Previews, port_names: Mapping[int, str]) -> Port:
    name = port_names.get(port.pk, port.ref) if port.pk else port.ref
    return Port(port.pk, name, _named(port.before, previews), _named(port.after, previews))


def _named(refs: Iterable[str], previews: Previews) -> list[Group]:
    """The groups that the user may see."""
    names = previews.rulebook.names
    ids = ((ref, previews.groups[ref]) for ref in refs)
    return [Group(pk, names[pk]) if pk > 0 else Group(None, ref) for ref, pk in ids if pk < 0 or pk in names]
