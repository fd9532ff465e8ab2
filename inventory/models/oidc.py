"""Users of an OpenID Connect provider, and their sessions."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from inventory.fields import EncryptedJSONField


class OidcIdentity(models.Model):
    """A user at a provider: `subject` is the one thing there that never changes, and never names anybody else."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    created_on = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()  # whoever links accounts can become anybody, so only superusers do
        verbose_name = "OpenID Connect login"
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="oidc_identity_unique")]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class OidcSession(models.Model):
    """A session that began with such a login. It ends with the provider's confirmation.

    `confirmed_on` is when the provider last confirmed it. `due_on` is when it is asked again, by the process that
    sets a later time.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    identity = models.ForeignKey(OidcIdentity, models.CASCADE, related_name="+")
    tokens = EncryptedJSONField()
    #: Whether the provider told this user's groups, so that an answer without them is incomplete.
    has_groups = models.BooleanField()
    created_on = models.DateTimeField(auto_now_add=True, db_index=True)
    confirmed_on = models.DateTimeField()
    due_on = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.identity_id} since {self.created_on}"
