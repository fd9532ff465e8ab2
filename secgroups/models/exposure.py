from __future__ import annotations

from django.db import models
from django.db.models import Value
from django.db.models.functions import Coalesce

from inventory.models import NetworkPort, Provider
from inventory.models.base import index_of_many
from secgroups.models.firewall_rule import FirewallRule
from secgroups.models.security_group import SecurityGroup
from secgroups.querysets import ExposureQuerySet


class Exposure(models.Model):
    """What the inbound rules of a group open to public addresses: services of a family that are open to the same.

    A null protocol or port stands for what no narrower row of the group and family names. Only
    `secgroups.exposures` writes these.
    """

    class NetworkProtocol(models.TextChoices):
        IPV4 = "IPV4"
        IPV6 = "IPV6"

    class Breadth(models.TextChoices):
        WORLD = "world"
        WIDE = "wide"
        NARROW = "narrow"

    class Severity(models.TextChoices):
        CRITICAL = "critical"
        HIGH = "high"
        MEDIUM = "medium"
        LOW = "low"
        NONE = "none"

    # An index below begins with each of these.
    provider = models.ForeignKey(Provider, models.CASCADE, db_index=False, related_name="exposures")
    security_group = models.ForeignKey(SecurityGroup, models.CASCADE, db_index=False, related_name="exposures")
    network_protocol = models.CharField(max_length=8, choices=NetworkProtocol.choices)
    host_protocol = models.CharField(max_length=32, null=True, blank=True)
    port = models.IntegerField(null=True, blank=True)
    end_port = models.IntegerField(null=True, blank=True)
    service = models.CharField(max_length=32, null=True, blank=True)
    source_ip_ranges = models.JSONField(default=list)
    breadth = models.CharField(max_length=8, choices=Breadth.choices)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    #: What the severity is for whoever sees none of the public addresses that have it, or nothing that has it.
    private_severity = models.CharField(max_length=8, choices=Severity.choices, null=True, editable=False)
    unused_severity = models.CharField(max_length=8, choices=Severity.choices, null=True, editable=False)
    total_vms = models.IntegerField(default=0)
    total_public_vms = models.IntegerField(
        default=0, help_text="Those whose port with the group has a public address of the family."
    )
    firewall_rules = models.ManyToManyField(FirewallRule, related_name="exposures")

    objects = ExposureQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                "security_group",
                "network_protocol",
                Coalesce("host_protocol", Value("")),
                Coalesce("port", Value(-1)),
                Coalesce("end_port", Value(-1)),
                name="exposure_unique",
            )
        ]
        indexes = [
            index_of_many("provider", "exposure_provider"),
            index_of_many("security_group", "exposure_group"),
            index_of_many("severity", "exposure_severity"),
            index_of_many("service", "exposure_service"),
            index_of_many("port", "exposure_port"),
        ]

    def __str__(self) -> str:
        # Without the group, which whoever lists exposures may not see.
        return f"{self.service or self.host_protocol or 'everything'} over {self.network_protocol}"


class PublicPort(models.Model):
    """A port has a public address of a family. `secgroups.public_ports` writes these from its addresses."""

    network_port = models.ForeignKey(NetworkPort, models.CASCADE, db_index=False, related_name="public_ports")
    network_protocol = models.CharField(max_length=8, choices=Exposure.NetworkProtocol.choices)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["network_port", "network_protocol"], name="public_port_unique")
        ]

    def __str__(self) -> str:
        return f"{self.network_protocol} of {self.network_port}"


class TouchedGroup(models.Model):
    """A group whose exposures may differ from its rows: its rules, their address lists or its ports changed.

    Triggers add these, whoever writes. So nothing is lost with a writer that dies before `secgroups.exposures`
    brings the rows up to date.
    """

    #: Without a constraint, because a group goes together with its members, whose triggers run last.
    security_group = models.ForeignKey(
        SecurityGroup, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    #: PostgreSQL's id of the transaction that touched it. Others may work off what is committed meanwhile.
    transaction = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["security_group", "transaction"], name="touched_group")]

    def __str__(self) -> str:
        return str(self.security_group_id)
