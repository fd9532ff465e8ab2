"""Updating the rows of a provider from its cloud, writing only differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar

from django.db import models
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet, Value

from inventory.db.bulk import batches, copy_rows, new_ids, update_rows
from inventory.guard import NAMED
from inventory.mapping import Columns
from inventory.models import Provider


class Thing(Protocol):
    """A value of a driver; `ref` is its id at the cloud."""

    @property
    def ref(self) -> str: ...


Row = TypeVar("Row", bound=models.Model)
AnyThing = TypeVar("AnyThing", bound=Thing)


@dataclass(slots=True)
class Found:
    """How many rows of the model with this label there are, are new, and changed."""

    label: str
    total: int
    appeared: int
    changed: int


@dataclass(slots=True)
class Reconciled:
    """The primary key of each ref, and what changed. `went` has the deleted rows by model.

    `unshown` is how many rows stay only because the credentials can't see them.
    """

    ids: dict[str, int]
    found: Found
    went: Counter[str]
    unshown: int


def nothing_stays(ref: str) -> bool:
    return False


def reconcile(
    model: type[Row],
    provider: Provider,
    values: Iterable[AnyThing],
    columns: Columns[AnyThing],
    *,
    within: Q | None = None,
    newer: Q | None = None,
    hidden: Q | None = None,
    stays: Callable[[str], bool] = nothing_stays,
    on_gone: Callable[[QuerySet[Row], int, int, int], object] = lambda rows, gone, appeared, total: None,
    before_deletion: Callable[[QuerySet[Row]], object] = lambda rows: None,
    delete_later: list[int] | None = None,
) -> Reconciled:
    """Create, update and delete the provider's rows so that each of `values` has one with these `columns`.

    For a partial read, `within` selects the rows for which it is complete; no others are deleted. Rows that are
    `newer` than the read, and those whose ref `stays`, stay as they are. Rows that are `hidden` from the
    credentials stay unless they are among `values`. Before a deletion, `on_gone` gets the first rows to go, and
    how many go, are new, and were known. `before_deletion` gets the rows themselves. With `delete_later`, their
    primary keys are added to that instead of deleting them.
    """
    rows = model._default_manager.filter(provider=provider)
    comparison = _Comparison({value.ref: value for value in values}, columns, newer, hidden, stays)
    comparison.look_at(rows.filter(within or Q()))
    gone, total = comparison.gone, comparison.seen
    if within is not None:
        for refs in batches(comparison.missing()):
            comparison.look_at(rows.filter(ems_ref__in=refs))
    missing = comparison.missing()
    if gone:
        on_gone(rows.filter(pk__in=nsmallest(NAMED, gone)).order_by("pk"), len(gone), len(missing), total)
    deletions: Counter[str] = Counter()
    if delete_later is not None:
        delete_later += gone
        gone = []
    for leaving_rows in locked(model, gone, newer):
        before_deletion(leaving_rows)
        deletions.update(leaving_rows.delete()[1])
    update_rows(model, sorted(comparison.differing), comparison.updates())
    created = dict(zip(missing, new_ids(model, len(missing)), strict=True))
    new = ((pk, provider.pk, ref, *comparison.values(ref)) for ref, pk in created.items())
    copy_rows(model, ["id", "provider_id", "ems_ref", *columns.names], new)
    ids = comparison.ids | created
    counts = Found(model._meta.label, len(ids), len(created), len(comparison.changed))
    return Reconciled(ids, counts, deletions, comparison.unshown)


def locked(model: type[Row], gone: Iterable[int], newer: Q | None = None) -> Iterator[QuerySet[Row]]:
    """The rows to delete, in batches. Locked before references to them are read: new ones are there, or fail."""
    for batch in batches(gone):
        rows = model._default_manager.filter(pk__in=batch)
        list(rows.select_for_update().order_by("pk").values_list("pk"))
        yield rows.exclude(newer or Q(pk=None))


class _Comparison(Generic[AnyThing]):
    """The differences between things of a cloud (by ref) and their rows."""

    def __init__(
        self,
        wanted: Mapping[str, AnyThing],
        columns: Columns[AnyThing],
        newer: Q | None,
        hidden: Q | None,
        stays: Callable[[str], bool],
    ) -> None:
        self._wanted, self._columns, self._stays = wanted, columns, stays
        self._newer, self._hidden = _condition(newer), _condition(hidden)
        #: How many rows the credentials can see, and how many hidden rows were not shown.
        self.seen = self.unshown = 0
        #: The primary key of each ref whose row stays.
        self.ids: dict[str, int] = {}
        #: The primary keys of rows to delete.
        self.gone: list[int] = []
        #: The columns that differ in any row; only these are written.
        self.differing: set[str] = set()
        #: The refs of rows that differ.
        self.changed: list[str] = []

    def look_at(self, rows: QuerySet[Any]) -> None:
        existing = rows.order_by().values_list("pk", "ems_ref", self._newer, self._hidden, *self._columns.names)
        for pk, ref, is_newer, is_hidden, *values in existing.iterator():
            self.seen += 1
            if ref in self._wanted:
                self.ids[ref] = pk
                if not is_newer and values != (desired := self.values(ref)):
                    pairs = zip(self._columns.names, values, desired, strict=True)
                    self.differing.update(name for name, value, desired_value in pairs if value != desired_value)
                    self.changed.append(ref)
            elif is_hidden:
                self.ids[ref] = pk
                self.seen -= 1
                self.unshown += 1
            elif self._stays(ref):
                self.ids[ref] = pk
            elif not is_newer:
                self.gone.append(pk)

    def values(self, ref: str) -> list[Any]:
        """The values for the row."""
        return self._columns.of(self._wanted[ref])

    def missing(self) -> list[str]:
        """The refs without a row."""
        return [ref for ref in self._wanted if ref not in self.ids]

    def updates(self) -> Iterator[tuple[Any, ...]]:
        """For each row that differs, its primary key and the values of the sorted `differing`."""
        positions = [
            index
            for index, name in sorted(enumerate(self._columns.names), key=itemgetter(1))
            if name in self.differing
        ]
        for ref in self.changed:
            values = self.values(ref)
            yield self.ids[ref], *(values[index] for index in positions)


def _condition(rows: Q | None) -> ExpressionWrapper[Q] | Value:
    """Whether a row is among these; False for None."""
    return ExpressionWrapper(rows, BooleanField()) if rows else Value(False)


def ids_of(model: type[Row], provider: Provider, refs: Iterable[str | None]) -> dict[str, int]:
    """The primary keys of these refs, if they have rows."""
    rows = model._default_manager.filter(provider=provider).values_list("ems_ref", "pk")
    return {ref: pk for batch in batches(set(refs)) for ref, pk in rows.filter(ems_ref__in=batch)}
