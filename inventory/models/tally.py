from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db import models, transaction
from django.db.models import Count, Q, QuerySet, Window

from inventory.models.cloud_tenant import CloudTenant
from inventory.models.provider import Provider

#: What tells a number from others.
_KEY = ("table", "provider_id", "cloud_tenant_id", "cloud")


class Nothing(models.Manager[Any]):
    """Makes `dumpdata` skip tallies, because loading the rows counts them again."""

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().none()


class TallyManager(models.Manager["Tally"]):
    @transaction.atomic
    def fold(self) -> None:
        """Merge appended rows into one row for each number. Others may write at the same time."""
        # Most numbers stay as they are, in one row.
        of_several = self.annotate(rows=Window(Count("pk"), partition_by=_KEY)).filter(rows__gt=1)
        # Another fold merges the rows that it has locked.
        locked = self.filter(Q(pk__in=of_several.values("pk")) | Q(number=0)).select_for_update(skip_locked=True)
        sums: Counter[tuple[Any, ...]] = Counter()
        pks = []
        for pk, number, *key in locked.values_list("pk", "number", *_KEY):
            pks.append(pk)
            sums[tuple(key)] += number
        self.filter(pk__in=pks).delete()
        self.bulk_create(_rows(sums))


def _rows(sums: Counter[tuple[Any, ...]]) -> Iterator[Tally]:
    for key, number in sums.items():
        if number:
            yield Tally(**dict(zip(_KEY, key, strict=True)), number=number)


class Tally(models.Model):
    """The number of a provider's rows in a table, maintained by the triggers of `inventory.db.tallies`.

    With a tenant, it is the number of this tenant's rows, which are among those of the provider. The number is the
    sum of all rows with the same key. On PostgreSQL, writers only append rows, so they never wait for each other.
    """

    table = models.CharField(max_length=63)
    #: Without a constraint in the database. A provider is deleted together with the rows that are counted here,
    #: except its events. Null for rows of no provider.
    provider = models.ForeignKey(
        Provider, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    #: Null in the rows that count everything of a provider. A tenant is deleted after it was taken from all rows.
    cloud_tenant = models.ForeignKey(
        CloudTenant, models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    #: As `Vm.cloud`; null for tables without this column.
    cloud = models.BooleanField(null=True)
    number = models.IntegerField()

    dumped = Nothing()
    objects = TallyManager()

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(
                fields=["table", "cloud_tenant", "provider", "cloud"], include=["number"], name="tally_of"
            )
        ]

    def __str__(self) -> str:
        return f"{self.number} of {self.table}"
