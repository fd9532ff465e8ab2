"""Bringing relations of many to many in, such as the tenants that a group is shared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import ManyToManyField, Q

from inventory.db.bulk import among, batches, copy_rows
from inventory.reconcile import AnyThing
from inventory.refresh import Refresh


def relate(
    refresh: Refresh,
    kind: str,
    values: Iterable[AnyThing],
    attribute: str,
    field: ManyToManyField[Any, Any],
    rows: Mapping[str, int],
    related: Mapping[str, int],
) -> None:
    """Relate the row of each value to exactly those refs in its `attribute` that have rows.

    `rows` and `related` have the primary keys of the two sides by ref. A symmetrical relation has both directions,
    whichever side names the other. What this read does not tell stays.
    """
    through: Any = field.remote_field.through
    own, other = field.m2m_field_name(), field.m2m_reverse_field_name()
    columns = [f"{own}_id", f"{other}_id"]
    symmetrical = field.remote_field.symmetrical
    named: dict[int, Iterable[str]] = {
        rows[value.ref]: getattr(value, attribute) for value in values if value.ref in rows
    }
    desired = {(row, related[ref]) for row, refs in named.items() for ref in refs if ref in related}
    links = through._default_manager.filter(**{f"{own}__provider": refresh.provider})
    if symmetrical:
        desired |= {(ref, row) for row, ref in desired}
    if refresh.scope:
        sides = [own, other] if symmetrical else [own]
        links = links.filter(Q(*((f"{side}__in", among(named)) for side in sides), _connector=Q.OR))
    existing = {(row, ref): pk for pk, row, ref in links.values_list("pk", *columns)}
    told = named.keys() - set(refresh.untold(kind, field.model, attribute).values_list("pk", flat=True))
    lost = (pair for pair in existing.keys() - desired if not told.isdisjoint(pair if symmetrical else pair[:1]))
    for gone in batches(map(existing.__getitem__, lost)):
        through._default_manager.filter(pk__in=gone).delete()
    copy_rows(through, columns, desired - existing.keys())
