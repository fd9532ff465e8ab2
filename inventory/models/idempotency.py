from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class IdempotencyKey(models.Model):
    """A request with an `Idempotency-Key`, and its answer.

    `status` is null while the request is in progress, by the process with this `attempt`.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    #: Digest of the request; another request with the same key is an error.
    fingerprint = models.CharField(max_length=64)
    attempt = models.UUIDField(default=uuid.uuid4)
    claimed_on = models.DateTimeField(db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(default="null")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_unique")]

    def __str__(self) -> str:
        return self.key
