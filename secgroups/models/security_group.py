from __future__ import annotations

from django.db import models

from inventory.drivers.values import Group
from inventory.mapping import ValueMapping
from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Vm
from inventory.models.base import NAME_LENGTH, Timestamped, index_of_many, index_of_text, unique_in_provider
from secgroups.querysets import MembershipQuerySet, SecurityGroupQuerySet


class SecurityGroup(Timestamped):
    """A named set of firewall rules, which the cloud applies to ports that have it."""

    provider = models.ForeignKey(Provider, models.CASCADE, db_index=False, related_name="security_groups")
    ems_ref = models.CharField(max_length=255)
    name = models.CharField(max_length=NAME_LENGTH)
    description = models.TextField(null=True, blank=True)
    vendor = models.CharField(max_length=255)
    cloud_tenant = models.ForeignKey(CloudTenant, models.SET_NULL, null=True, related_name="security_groups")
    cloud_network = models.ForeignKey(CloudNetwork, models.SET_NULL, null=True, related_name="security_groups")
    #: Other networks in which it may be used (EC2: VPC associations).
    associated_networks = models.ManyToManyField(
        CloudNetwork, related_name="associated_security_groups", blank=True
    )
    stateful = models.BooleanField(default=True)
    shared = models.BooleanField(default=False, help_text="With every tenant.")
    shared_with = models.ManyToManyField(CloudTenant, related_name="security_groups_shared_with_it", blank=True)
    #: The time of the last edit that wrote its rules. An older read never replaces them.
    rules_as_of = models.DateTimeField(null=True, editable=False)
    network_ports = models.ManyToManyField(NetworkPort, through="Membership", related_name="security_groups")
    vms = models.ManyToManyField(Vm, through="Membership", related_name="security_groups")

    objects = SecurityGroupQuerySet.as_manager()
    mapping = ValueMapping(
        Group,
        ref="ems_ref",
        tenant_ref="cloud_tenant__ems_ref",
        network_ref="cloud_network__ems_ref",
        # Stored in `shared`, `shared_with` and `associated_networks`.
        excluded=("shared_with", "associated_network_refs"),
        derived={"shared": "shared"},
    )

    class Meta:
        ordering = ["id"]
        constraints = [unique_in_provider("security_group")]
        indexes = [
            index_of_text("name", "security_group_name"),
            index_of_many("provider", "security_group_provider"),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A group on a port, and on the port's VM. A VM has a group once for each port that has it."""

    # An index below begins with each of these.
    security_group = models.ForeignKey(SecurityGroup, models.CASCADE, db_index=False, related_name="memberships")
    network_port = models.ForeignKey(NetworkPort, models.CASCADE, db_index=False, related_name="memberships")
    vm = models.ForeignKey(
        Vm, models.CASCADE, null=True, db_index=False, related_name="memberships", help_text="The port's VM."
    )

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["network_port", "security_group"], name="membership_unique"),
        ]
        indexes = [
            models.Index(fields=["vm", "security_group"], name="membership_vm"),
            models.Index(fields=["security_group", "vm"], name="membership_group"),
        ]

    def __str__(self) -> str:
        return f"{self.security_group} on {self.network_port}"
