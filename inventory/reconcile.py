"""Making the rows of a provider equal to what its cloud has, writing only what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar

from django.db import models
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet, Value

from inventory.bulk import batches, copy_rows, new_ids, update_rows
from inventory.models import Provider


class Thing(Protocol):
    """A value of a driver; `ref` is the cloud's id of it."""

    @property
    def ref(self) -> str: ...


Row = TypeVar("Row", bound=models.Model)
AnyThing = TypeVar("AnyThing", bound=Thing)
#: What a thing's row holds: names of fields (of a foreign key with `_id`) → values.
Attributes = dict[str, Any]


class TooManyGone(Exception):
    """More than half of what was known is not there any more: rather a fault of the reading than the truth."""


def reconcile(
    model: type[Row],
    provider: Provider,
    things: Iterable[AnyThing],
    attributes: Callable[[AnyThing], Attributes],
    *,
    within: Q | None = None,
    guarded: bool = False,
    newer: Q | None = None,
) -> dict[str, int]:
    """Create, update and delete the provider's rows so that each of `things` has one with these `attributes`.

    All have the same attributes. Returns the primary key of each ref. Of a reading that was not of everything,
    `within` says for which rows it is complete: no others are deleted. With `guarded`, raises `TooManyGone` rather
    than delete more than half of these. Rows that are `newer` than the reading stay as they are.
    """
    rows = model._default_manager.filter(provider=provider)
    compared = _Comparison({thing.ref: thing for thing in things}, attributes, newer)
    compared.look_at(rows.filter(within or Q()))
    if guarded and 2 * len(compared.gone) > compared.seen:
        raise TooManyGone(f"{len(compared.gone)} of {compared.seen} {model._meta.verbose_name_plural}")
    for batch in batches(compared.gone):
        rows.filter(pk__in=batch).exclude(newer or Q(pk=None)).delete()
    if within is not None:
        for refs in batches(compared.missing()):
            compared.look_at(rows.filter(ems_ref__in=refs))
    update_rows(model, sorted(compared.differing), compared.updates())
    missing = compared.missing()
    created = dict(zip(missing, new_ids(model, len(missing)), strict=True))
    new = ((pk, provider.pk, ref, *compared.values(ref)) for ref, pk in created.items())
    copy_rows(model, ["id", "provider_id", "ems_ref", *compared.names], new)
    return compared.ids | created


class _Comparison(Generic[AnyThing]):
    """What differs between things of a cloud (by ref) and those of their rows that were looked at."""

    def __init__(
        self,
        wanted: Mapping[str, AnyThing],
        attributes: Callable[[AnyThing], Attributes],
        newer: Q | None,
    ) -> None:
        self._wanted, self._attributes, self._newer = wanted, attributes, newer
        #: The attributes' names.
        self.names: list[str] = next((list(attributes(thing)) for thing in wanted.values()), [])
        #: How many rows there were.
        self.seen = 0
        #: Of each wanted ref that has a row its primary key.
        self.ids: dict[str, int] = {}
        #: The primary keys of rows that nobody wants.
        self.gone: list[int] = []
        #: Which attributes differ in any row: each that is written takes its time.
        self.differing: set[str] = set()
        self._changed: list[str] = []

    def look_at(self, rows: QuerySet[Any]) -> None:
        stays = ExpressionWrapper(self._newer, BooleanField()) if self._newer else Value(False)
        found = rows.order_by().values_list("pk", "ems_ref", stays, *self.names)
        for pk, ref, kept, *values in found.iterator():
            self.seen += 1
            if ref in self._wanted:
                self.ids[ref] = pk
                if not kept and values != (wanted := self.values(ref)):
                    pairs = zip(self.names, values, wanted, strict=True)
                    self.differing.update(name for name, value, other in pairs if value != other)
                    self._changed.append(ref)
            elif not kept:
                self.gone.append(pk)

    def values(self, ref: str) -> list[Any]:
        """The attributes' values."""
        return list(self._attributes(self._wanted[ref]).values())

    def missing(self) -> list[str]:
        """The refs that have no row."""
        return [ref for ref in self._wanted if ref not in self.ids]

    def updates(self) -> Iterator[tuple[Any, ...]]:
        """Of each row that differs its primary key, and the values of `differing`, sorted."""
        positions = [at for at, name in sorted(enumerate(self.names), key=itemgetter(1)) if name in self.differing]
        for ref in self._changed:
            values = self.values(ref)
            yield self.ids[ref], *(values[at] for at in positions)


def ids_of(model: type[Row], provider: Provider, refs: Iterable[str | None]) -> dict[str, int]:
    """The primary key of each of these refs that has a row."""
    rows = model._default_manager.filter(provider=provider).values_list("ems_ref", "pk")
    return {ref: pk for batch in batches(set(refs)) for ref, pk in rows.filter(ems_ref__in=batch)}
