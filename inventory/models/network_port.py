from __future__ import annotations

from django.db import models

from inventory.models.base import unique_in_provider
from inventory.models.cloud_network import CloudNetwork
from inventory.models.cloud_tenant import CloudTenant
from inventory.models.provider import Provider
from inventory.models.vm import Vm
from inventory.querysets import TalliedQuerySet


class NetworkPort(models.Model):
    """A network interface (Neutron port, ENI): where a cloud keeps the security groups of a VM."""

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="network_ports")
    ems_ref = models.CharField(max_length=255)
    name = models.CharField(max_length=255, null=True, blank=True, db_index=True)
    vm = models.ForeignKey(Vm, models.CASCADE, null=True, related_name="network_ports")
    cloud_tenant = models.ForeignKey(CloudTenant, models.SET_NULL, null=True, related_name="network_ports")
    cloud_network = models.ForeignKey(CloudNetwork, models.SET_NULL, null=True, related_name="network_ports")
    mac_address = models.CharField(max_length=32, null=True, blank=True, db_index=True)
    status = models.CharField(max_length=64, null=True, blank=True)
    ipaddresses = models.JSONField(default=list)
    port_security_enabled = models.BooleanField(default=True)
    #: When the groups that we hold of this port were read from the cloud: an older reading never replaces a newer.
    groups_read_on = models.DateTimeField(null=True)

    objects = TalliedQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [unique_in_provider("network_port")]

    def __str__(self) -> str:
        return self.name or self.ems_ref
