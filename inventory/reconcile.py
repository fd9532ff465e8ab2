"""Making the rows of a provider equal to what its cloud has, writing only what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, TypeVar

from django.db import models
from django.db.models import BooleanField, ExpressionWrapper, Q, Value
from django.utils import timezone

from inventory.models import Provider

Row = TypeVar("Row", bound=models.Model)
Key = TypeVar("Key")

#: Rows in one statement.
BATCH = 500


class TooManyGone(Exception):
    """More than half of what was known is not there any more: rather a fault of the reading than the truth."""


def reconcile(
    model: type[Row],
    provider: Provider,
    wanted: Mapping[str, Mapping[str, Any]],
    *,
    guarded: bool = False,
    newer: Q | None = None,
) -> dict[str, int]:
    """Create, update and delete the provider's rows so that they are `wanted` (ems_ref → attributes).

    All of `wanted` have the same attributes. Returns the primary key of each ems_ref. With `guarded`, raises
    `TooManyGone` instead of deleting more than half of the rows. Rows that are `newer` than the reading stay as
    they are.
    """
    rows = model._default_manager.filter(provider=provider)
    names = list(next(iter(wanted.values()), {}))
    stays = ExpressionWrapper(newer, BooleanField()) if newer else Value(False)
    found = rows.values_list("pk", "ems_ref", stays, *names)
    known = {ref: (pk, kept, values) for pk, ref, kept, *values in found}
    gone = [pk for ref, (pk, kept, _) in known.items() if ref not in wanted and not kept]
    if guarded and 2 * len(gone) > len(known):
        raise TooManyGone(f"{len(gone)} of {len(known)} {model._meta.verbose_name_plural}")
    for batch in batches(gone):
        rows.filter(pk__in=batch).exclude(newer or Q(pk=None)).delete()
    _update(
        model,
        names,
        [
            model(pk=known[ref][0], **attributes)
            for ref, attributes in wanted.items()
            if ref in known and not known[ref][1] and known[ref][2] != list(attributes.values())
        ],
    )
    new = [model(provider=provider, ems_ref=ref, **wanted[ref]) for ref in wanted if ref not in known]
    created = model._default_manager.bulk_create(new, batch_size=BATCH)
    ids = {ref: pk for ref, (pk, _, _) in known.items() if ref in wanted}
    return ids | {row.ems_ref: row.pk for row in created}  # type: ignore[attr-defined]


def batches(items: Iterable[Key]) -> Iterable[list[Key]]:
    """The items in lists of at most `BATCH`."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _update(model: type[Row], names: list[str], changed: list[Row]) -> None:
    if changed and hasattr(model, "updated_on"):
        names = [*names, "updated_on"]
        for row in changed:
            row.updated_on = timezone.now()  # type: ignore[attr-defined]
    if changed:
        model._default_manager.bulk_update(changed, names, batch_size=BATCH)
