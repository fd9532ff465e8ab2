from __future__ import annotations

from django.db import models

from inventory.drivers import values
from inventory.mapping import ValueMapping
from inventory.models import CloudTenant, Provider
from inventory.models.base import NAME_LENGTH, index_of_text, unique_in_provider
from inventory.querysets import OwnedQuerySet


class AddressList(models.Model):
    """A list of addresses that firewall rules name: a prefix list (EC2), or an address group (OpenStack).

    `entries` are CIDRs, null if they are not known. A list stays while a rule names it.
    """

    class NetworkProtocol(models.TextChoices):
        IPV4 = "IPV4"
        IPV6 = "IPV6"

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="address_lists")
    ems_ref = models.CharField(max_length=255)
    name = models.CharField(max_length=NAME_LENGTH)
    cloud_tenant = models.ForeignKey(CloudTenant, models.SET_NULL, null=True, related_name="address_lists")
    network_protocol = models.CharField(max_length=8, choices=NetworkProtocol.choices, null=True, blank=True)
    max_entries = models.IntegerField(
        null=True, blank=True, help_text="How many rules it counts as, for the limit of a group."
    )
    entries = models.JSONField(null=True, blank=True)

    objects = OwnedQuerySet.as_manager()
    mapping = ValueMapping(
        values.AddressList, ref="ems_ref", tenant_ref="cloud_tenant__ems_ref", family="network_protocol"
    )

    class Meta:
        ordering = ["id"]
        constraints = [unique_in_provider("address_list")]
        indexes = [index_of_text("name", "address_list_name")]

    def __str__(self) -> str:
        return self.name
