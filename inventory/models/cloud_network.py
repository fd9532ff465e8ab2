from __future__ import annotations

from django.db import models

from inventory.drivers.values import Network
from inventory.mapping import ValueMapping
from inventory.models.base import NAME_LENGTH, index_of_text, unique_in_provider
from inventory.models.cloud_tenant import CloudTenant
from inventory.models.provider import Provider
from inventory.querysets import OwnedQuerySet


class CloudNetwork(models.Model):
    """A network of ports; on EC2 a VPC, which also confines its security groups."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="cloud_networks")
    ems_ref = models.CharField(max_length=255)
    name = models.CharField(max_length=NAME_LENGTH)
    cidr = models.CharField(max_length=64, null=True, blank=True)
    cloud_tenant = models.ForeignKey(CloudTenant, models.SET_NULL, null=True, related_name="cloud_networks")
    #: The networks that it is peered with (EC2: VPC peering connections).
    peers = models.ManyToManyField("self", blank=True)

    objects = OwnedQuerySet.as_manager()
    mapping = ValueMapping(
        Network,
        ref="ems_ref",
        tenant_ref="cloud_tenant__ems_ref",
        # Stored in `peers`.
        excluded=("peer_refs",),
    )

    class Meta:
        ordering = ["id"]
        constraints = [unique_in_provider("cloud_network")]
        indexes = [index_of_text("name", "cloud_network_name")]

    def __str__(self) -> str:
        return self.name
