from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models

from inventory import messages
from inventory.models.cloud_tenant import CloudTenant
from inventory.models.provider import Provider
from inventory.querysets import GrantQuerySet


class Grant(models.Model):
    """A role for the members of a group, on a tenant, a provider or everything.

    A grant outlives its provider and tenant, without a constraint in the database, and then reaches nothing. If it
    went with them, its group would no longer be limited. The `provider` of a grant on a tenant is the tenant's.
    """

    group = models.ForeignKey(Group, models.CASCADE, related_name="grants")
    role = models.CharField(max_length=32, choices=[(role, role) for role in settings.ROLES])
    provider = models.ForeignKey(
        Provider, models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+"
    )
    cloud_tenant = models.ForeignKey(
        CloudTenant, models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="+"
    )

    objects = GrantQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["group", "role"],
                condition=models.Q(provider=None),
                name="grant_unique_everywhere",
                violation_error_message=messages.GRANTED_ALREADY,
            ),
            models.UniqueConstraint(
                fields=["group", "role", "provider"],
                condition=models.Q(provider__isnull=False, cloud_tenant=None),
                name="grant_unique_on_provider",
                violation_error_message=messages.GRANTED_ALREADY,
            ),
            models.UniqueConstraint(
                fields=["group", "role", "cloud_tenant"],
                condition=models.Q(cloud_tenant__isnull=False),
                name="grant_unique_on_tenant",
                violation_error_message=messages.GRANTED_ALREADY,
            ),
            models.CheckConstraint(
                condition=models.Q(cloud_tenant=None) | models.Q(provider__isnull=False),
                name="grant_tenant_of_provider",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"

    def clean(self) -> None:
        """Take the provider from the tenant. Raises `ValidationError` if it is of another one."""
        if self.cloud_tenant is None:
            return
        if self.provider_id not in (None, self.cloud_tenant.provider_id):
            raise ValidationError(
                {"cloud_tenant": messages.tenant_of_another(self.cloud_tenant.name, str(self.provider))}
            )
        self.provider = self.cloud_tenant.provider
