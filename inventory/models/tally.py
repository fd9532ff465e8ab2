from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db import models, transaction
from django.db.models import QuerySet

from inventory.models.provider import Provider


class Nothing(models.Manager[Any]):
    """Makes `dumpdata` skip tallies, because loading the rows counts them again."""

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().none()


class TallyManager(models.Manager["Tally"]):
    @transaction.atomic
    def fold(self) -> None:
        """Merge appended rows into one row for each number. Others may write at the same time."""
        # Another fold merges the rows that it has locked.
        locked = self.select_for_update(skip_locked=True)
        sums: Counter[tuple[Any, ...]] = Counter()
        pks = []
        for pk, number, *key in locked.values_list("pk", "number", "table", "provider", "cloud"):
            pks.append(pk)
            sums[tuple(key)] += number
        self.filter(pk__in=pks).delete()
        self.bulk_create(_rows(sums))


def _rows(sums: Counter[tuple[Any, ...]]) -> Iterator[Tally]:
    for (table, provider, cloud), number in sums.items():
        if number:
            yield Tally(table=table, provider_id=provider, cloud=cloud, number=number)


class Tally(models.Model):
    """The number of a provider's rows in a table, maintained by the triggers of `inventory.db.tallies`.

    The number is the sum of all rows with the same key. On PostgreSQL, writers only append rows, so they never
    wait for each other.
    """

    table = models.CharField(max_length=63)
    #: Without a constraint in the database. A provider is deleted together with the rows that are counted here,
    #: except its events. Null for rows of no provider.
    provider = models.ForeignKey(
        Provider, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    #: As `Vm.cloud`; null for tables without this column.
    cloud = models.BooleanField(null=True)
    number = models.IntegerField()

    dumped = Nothing()
    objects = TallyManager()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["table", "provider", "cloud"], name="tally_of")]

    def __str__(self) -> str:
        return f"{self.number} of {self.table}"
