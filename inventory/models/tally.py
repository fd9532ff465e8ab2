from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db import models, transaction
from django.db.models import QuerySet

from inventory.models.provider import Provider


class Nothing(models.Manager[Any]):
    """What `dumpdata` takes: nothing, for the rows count themselves when they are loaded."""

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().none()


class TallyManager(models.Manager["Tally"]):
    @transaction.atomic
    def fold(self) -> None:
        """Put together what was appended, to a row for each number, whatever others write meanwhile."""
        # Rows that another fold has locked it puts together itself.
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
    """How many rows of a table are of a provider, kept by the triggers that `inventory.db.tallies` makes.

    The number is the sum over all rows that say the same. On PostgreSQL a writer appends what it added and changes
    no row of anybody else: nobody waits for anybody.
    """

    table = models.CharField(max_length=63)
    #: No reference that the database watches: a provider goes together with what is counted here.
    provider = models.ForeignKey(
        Provider, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    #: As `Vm.cloud`; null for tables that have no such column.
    cloud = models.BooleanField(null=True)
    number = models.IntegerField()

    dumped = Nothing()
    objects = TallyManager()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["table", "provider", "cloud"], name="tally_of")]

    def __str__(self) -> str:
        return f"{self.number} of {self.table}"
