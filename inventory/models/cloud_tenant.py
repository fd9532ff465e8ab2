from __future__ import annotations

from django.db import models

from inventory.drivers.values import Tenant
from inventory.mapping import ValueMapping
from inventory.models.base import NAME_LENGTH, Timestamped, index_of_text, unique_in_provider
from inventory.models.provider import Provider
from inventory.querysets import CloudTenantQuerySet


class CloudTenant(Timestamped):
    """An OpenStack project or an AWS account."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="cloud_tenants")
    ems_ref = models.CharField(max_length=255)
    name = models.CharField(max_length=NAME_LENGTH)
    description = models.TextField(null=True, blank=True)
    enabled = models.BooleanField(default=True)

    objects = CloudTenantQuerySet.as_manager()
    mapping = ValueMapping(Tenant, ref="ems_ref")

    class Meta:
        ordering = ["id"]
        constraints = [unique_in_provider("cloud_tenant")]
        indexes = [index_of_text("name", "cloud_tenant_name")]

    def __str__(self) -> str:
        return self.name
