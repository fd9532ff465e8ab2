from __future__ import annotations

from secrets import randbits

from django.db import models, transaction
from django.db.models import Count, Exists, OuterRef

from inventory.db.bulk import batches
from inventory.db.lookups import Numbers
from inventory.models.tally import Nothing
from secgroups.models.security_group import SecurityGroup


class GroupStampManager(models.Manager["GroupStamp"]):
    def fold(self) -> None:
        """Replace several stamps of a group by a new one, and forget those of groups that are gone."""
        groups = SecurityGroup.objects.filter(pk=OuterRef("security_group"))
        self.filter(~Exists(groups)).delete()
        several = self.order_by().values("security_group").annotate(number=Count("pk")).filter(number__gt=1)
        for batch in batches(several.values_list("security_group", flat=True)):
            self._fold(batch)

    @transaction.atomic
    def _fold(self, groups: list[int]) -> None:
        # Another fold replaces the stamps that it has locked. What is added meanwhile is not seen here, and stays.
        rows = self.filter(security_group__among=Numbers(groups)).select_for_update(skip_locked=True)
        locked = dict(rows.values_list("pk", "security_group"))
        self.filter(pk__among=Numbers(locked)).delete()
        self.bulk_create(GroupStamp(security_group_id=group, stamp=randbits(53)) for group in set(locked.values()))


class GroupStamp(models.Model):
    """A sign that a group's members changed, or their addresses or networks: `inventory.db.stamps`.

    Stamps are random numbers. So if the sum of a group's stamps is the same twice, nothing was committed between.
    """

    #: Without a constraint, because a group goes together with its members, whose triggers run last.
    security_group = models.ForeignKey(
        SecurityGroup, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    stamp = models.BigIntegerField()

    dumped = Nothing()
    objects = GroupStampManager()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["security_group", "stamp"], name="group_stamp")]

    def __str__(self) -> str:
        return f"{self.security_group_id}: {self.stamp}"
