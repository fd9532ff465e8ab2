from __future__ import annotations

from django.db import models

from inventory.drivers.values import Port
from inventory.mapping import ValueMapping
from inventory.models.base import NAME_LENGTH, index_of_many, index_of_text, unique_in_provider
from inventory.models.cloud_network import CloudNetwork
from inventory.models.cloud_tenant import CloudTenant
from inventory.models.provider import Provider
from inventory.models.vm import Vm
from inventory.querysets import TenantTalliedQuerySet


class NetworkPort(models.Model):
    """A network interface (Neutron port, ENI). Clouds assign security groups to these."""

    provider = models.ForeignKey(Provider, models.CASCADE, db_index=False, related_name="network_ports")
    ems_ref = models.CharField(max_length=255)
    name = models.CharField(max_length=NAME_LENGTH, null=True, blank=True)
    vm = models.ForeignKey(Vm, models.CASCADE, null=True, related_name="network_ports")
    cloud_tenant = models.ForeignKey(
        CloudTenant, models.SET_NULL, null=True, db_index=False, related_name="network_ports"
    )
    cloud_network = models.ForeignKey(
        CloudNetwork, models.SET_NULL, null=True, db_index=False, related_name="network_ports"
    )
    mac_address = models.CharField(max_length=32, null=True, blank=True)
    status = models.CharField(max_length=64, null=True, blank=True)
    ipaddresses = models.JSONField(default=list)
    #: Those of `ipaddresses` that are translated to it from outside.
    public_ipaddresses = models.JSONField(default=list)
    allowed_address_pairs = models.JSONField(default=list)
    device_owner = models.CharField(max_length=64, null=True, blank=True)
    requester_managed = models.BooleanField(
        default=False, help_text="A service of the cloud manages it. Others may not write it."
    )
    port_security_enabled = models.BooleanField(default=True)
    #: When this port's groups were read from the cloud. An older read never replaces a newer one.
    groups_read_on = models.DateTimeField(null=True)

    objects = TenantTalliedQuerySet.as_manager()
    mapping = ValueMapping(
        Port,
        ref="ems_ref",
        instance_ref="vm__ems_ref",
        tenant_ref="cloud_tenant__ems_ref",
        network_ref="cloud_network__ems_ref",
        ip_addresses="ipaddresses",
        public_ip_addresses="public_ipaddresses",
        # Groups are memberships. A revision is only valid for a write right after the read.
        excluded=("group_refs", "revision"),
    )

    class Meta:
        ordering = ["id"]
        constraints = [unique_in_provider("network_port")]
        indexes = [
            index_of_text("name", "network_port_name"),
            index_of_text("mac_address", "network_port_mac_address"),
            index_of_many("provider", "network_port_provider"),
            index_of_many("cloud_tenant", "network_port_cloud_tenant"),
            index_of_many("cloud_network", "network_port_cloud_network"),
            # Few have none, which lets everything through.
            models.Index(
                fields=["vm"], condition=models.Q(port_security_enabled=False), name="network_port_unsecured"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.ems_ref
