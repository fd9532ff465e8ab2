"""Making the rows of a provider equal to what its cloud has, writing only what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, TypeVar

from django.db import models
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet, Value
from django.utils import timezone

from inventory.models import Provider

Row = TypeVar("Row", bound=models.Model)
Key = TypeVar("Key")
Known = tuple[int, bool, list[Any]]

#: Rows in one statement.
BATCH = 500


class TooManyGone(Exception):
    """More than half of what was known is not there any more: rather a fault of the reading than the truth."""


def reconcile(
    model: type[Row],
    provider: Provider,
    wanted: Mapping[str, Mapping[str, Any]],
    *,
    within: Q | None = None,
    guarded: bool = False,
    newer: Q | None = None,
) -> dict[str, int]:
    """Create, update and delete the provider's rows so that they are `wanted` (ems_ref → attributes).

    All of `wanted` have the same attributes. Returns the primary key of each ems_ref. Of a reading that was not of
    everything, `within` says for which rows it is complete: no others are deleted. With `guarded`, raises
    `TooManyGone` instead of deleting more than half of these. Rows that are `newer` than the reading stay as they
    are.
    """
    rows = model._default_manager.filter(provider=provider)
    names = list(next(iter(wanted.values()), {}))
    known = _known(rows.filter(within or Q()), names, newer)
    gone = [pk for ref, (pk, kept, _) in known.items() if ref not in wanted and not kept]
    if guarded and 2 * len(gone) > len(known):
        raise TooManyGone(f"{len(gone)} of {len(known)} {model._meta.verbose_name_plural}")
    for batch in batches(gone):
        rows.filter(pk__in=batch).exclude(newer or Q(pk=None)).delete()
    if within is not None:
        for refs in batches(wanted.keys() - known.keys()):
            known |= _known(rows.filter(ems_ref__in=refs), names, newer)
    _update(model, wanted, known)
    new = [model(provider=provider, ems_ref=ref, **wanted[ref]) for ref in wanted if ref not in known]
    created = model._default_manager.bulk_create(new, batch_size=BATCH)
    ids = {ref: pk for ref, (pk, _, _) in known.items() if ref in wanted}
    return ids | {row.ems_ref: row.pk for row in created}  # type: ignore[attr-defined]


def _known(rows: QuerySet[Row], names: list[str], newer: Q | None) -> dict[str, Known]:
    """Of each ems_ref its row's key, whether it is newer than the reading, and its values."""
    stays = ExpressionWrapper(newer, BooleanField()) if newer else Value(False)
    found = rows.values_list("pk", "ems_ref", stays, *names)
    return {ref: (pk, kept, values) for pk, ref, kept, *values in found}


def ids_of(model: type[Row], provider: Provider, refs: Iterable[str | None]) -> dict[str, int]:
    """The primary key of each of these refs that has a row."""
    rows = model._default_manager.filter(provider=provider).values_list("ems_ref", "pk")
    return {ref: pk for batch in batches(set(refs)) for ref, pk in rows.filter(ems_ref__in=batch)}


def batches(items: Iterable[Key]) -> Iterable[list[Key]]:
    """The items in lists of at most `BATCH`."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _update(model: type[Row], wanted: Mapping[str, Mapping[str, Any]], known: Mapping[str, Known]) -> None:
    """Write the rows that differ; of their attributes those that differ in any row: each takes its time."""
    rows: list[Row] = []
    names: set[str] = set()
    for ref, attributes in wanted.items():
        pk, newer, values = known.get(ref, (0, True, []))
        if not newer and values != list(attributes.values()):
            rows.append(model(pk=pk, **attributes))
            now = zip(attributes.items(), values, strict=True)
            names |= {name for (name, value), before in now if value != before}
    if rows and hasattr(model, "updated_on"):
        names.add("updated_on")
        for row in rows:
            row.updated_on = timezone.now()  # type: ignore[attr-defined]
    if rows:
        model._default_manager.bulk_update(rows, sorted(names), batch_size=BATCH)
