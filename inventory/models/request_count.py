from __future__ import annotations

from django.conf import settings
from django.db import models

from inventory.models.tally import Nothing


class RequestCount(models.Model):
    """How many requests a user has sent in a minute, if `API_REQUESTS` limits them. All processes share it."""

    #: Without a constraint in the database: a request may be counted while its user is deleted.
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+", db_constraint=False
    )
    #: Minutes since 1970.
    minute = models.BigIntegerField()
    number = models.BigIntegerField()

    dumped = Nothing()
    objects = models.Manager["RequestCount"]()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.number} of {self.user_id}"
