"""Conditions for the rows of `Tally` whose sum is the number of rows of a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import and_, or_

from django.db.models import Q

from inventory.db.inspection import Comparison

_TENANT = "cloud_tenant_id"
_OF_PROVIDERS = Q(cloud_tenant=None)


def condition_for_tallies(lists: Sequence[Sequence[Comparison]], columns: Mapping[str, str]) -> Q | None:
    """The condition for tallies of the rows that fulfil a comparison of each list; None if no tallies have them.

    `columns` are the attributes by which rows are counted, each with the column of `Tally`. A row counts in a
    tally of its provider, and if it has a tenant, also in one of that. The condition holds for just one of them.
    """
    if not all(comparison.attribute in columns for alternatives in lists for comparison in alternatives):
        return None
    condition, of_tenants, mixed = Q(), Q(), []
    for alternatives in lists:
        by_tenant = _any((one for one in alternatives if columns[one.attribute] == _TENANT), columns)
        others = _any((one for one in alternatives if columns[one.attribute] != _TENANT), columns)
        if not by_tenant:
            condition &= others
        elif others:
            mixed.append((others, by_tenant))
        else:
            of_tenants &= by_tenant
    if of_tenants:  # the tallies of these tenants have all
        return reduce(and_, (others | by_tenant for others, by_tenant in mixed), condition & of_tenants)
    if not mixed:
        return condition & _OF_PROVIDERS
    if len(mixed) > 1:
        return None
    [(others, by_tenant)] = mixed
    return condition & (_OF_PROVIDERS & others | by_tenant & ~others)


def _any(comparisons: Iterable[Comparison], columns: Mapping[str, str]) -> Q:
    return reduce(or_, (comparison.of(columns[comparison.attribute]) for comparison in comparisons), Q())
