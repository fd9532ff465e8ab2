from __future__ import annotations

import uuid

from django.db import models

from inventory.drivers.values import Instance as InstanceValue
from inventory.mapping import ValueMapping
from inventory.models.base import NAME_LENGTH, Kept, Timestamped, index_of_many, index_of_text, unique_in_provider
from inventory.models.cloud_tenant import CloudTenant
from inventory.models.provider import Provider
from inventory.querysets import InstanceManager, VmQuerySet


class Vm(Kept, Timestamped):
    """A virtual machine of any provider. In a cloud it is an `Instance`."""

    class PowerState(models.TextChoices):
        ON = "on"
        OFF = "off"
        PAUSED = "paused"
        SUSPENDED = "suspended"
        UNKNOWN = "unknown"

    provider = models.ForeignKey(Provider, models.CASCADE, db_index=False, related_name="vms")
    ems_ref = models.CharField(max_length=255)
    uid_ems = models.CharField(max_length=255, null=True, blank=True)
    guid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=NAME_LENGTH)
    description = models.TextField(null=True, blank=True)
    vendor = models.CharField(max_length=32)
    cloud_tenant = models.ForeignKey(CloudTenant, models.SET_NULL, null=True, db_index=False, related_name="vms")
    cloud = models.BooleanField(default=True)
    template = models.BooleanField(default=False)
    power_state = models.CharField(max_length=16, choices=PowerState.choices, default=PowerState.UNKNOWN)
    raw_power_state = models.CharField(max_length=64, null=True, blank=True)
    flavor_name = models.CharField(max_length=255, null=True, blank=True)
    availability_zone_name = models.CharField(max_length=255, null=True, blank=True)
    location = models.CharField(max_length=255, null=True, blank=True)

    objects = VmQuerySet.as_manager()
    mapping = ValueMapping(
        InstanceValue, ref="ems_ref", tenant_ref="cloud_tenant__ems_ref", derived={"uid_ems": "ref"}
    )

    class Meta:
        verbose_name = "VM"
        verbose_name_plural = "VMs"
        ordering = ["id"]
        constraints = [unique_in_provider("vm")]
        indexes = [
            index_of_text("name", "vm_name"),
            index_of_text("uid_ems", "vm_uid_ems"),
            index_of_many("provider", "vm_provider"),
            index_of_many("cloud_tenant", "vm_cloud_tenant"),
            index_of_many("power_state", "vm_power_state"),
            # For pages of VMs and instances, without reading rows.
            models.Index(fields=["id", "provider"], name="vm_pages"),
            models.Index(fields=["id", "provider"], condition=models.Q(cloud=True), name="vm_instances"),
        ]
        permissions = [("change_vm_security_groups", "Can add security groups to VMs and remove them")]

    def __str__(self) -> str:
        return self.name


class Instance(Vm):
    """A VM of a cloud."""

    objects = InstanceManager()  # type: ignore[misc]

    class Meta:
        proxy = True
        verbose_name = "instance"
        verbose_name_plural = "instances"
        ordering = ["id"]
