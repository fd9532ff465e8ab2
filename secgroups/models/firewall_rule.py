from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from inventory.drivers.protocols import WITH_TYPES
from inventory.drivers.values import Rule
from inventory.mapping import ValueMapping
from inventory.models import Provider
from inventory.models.base import index_of_text, unique_in_provider
from secgroups.models.address_list import AddressList
from secgroups.models.security_group import SecurityGroup
from secgroups.querysets import FirewallRuleQuerySet

#: Sorted, because they are a part of a migration.
_TYPES = sorted(WITH_TYPES)
#: The others with ports are rare.
_PORTS = ["tcp", "udp"]
#: Rules with a rare protocol, or with ports or types that may make no sense. Few are.
ODD = (
    Q(host_protocol__isnull=False) & ~Q(host_protocol__in=[*_PORTS, *_TYPES])
    | Q(port=None, end_port__isnull=False)
    | Q(port__lt=0)
    | Q(port__gt=0xFFFF)
    | Q(end_port__lt=0)
    | Q(end_port__gt=0xFFFF)
    | Q(host_protocol__in=_PORTS, end_port__lt=F("port"))
    | Q(host_protocol__in=_TYPES, port__gt=0xFF)
    | Q(host_protocol__in=_TYPES, end_port__gt=0xFF)
)


class FirewallRule(models.Model):
    """Allows traffic for a security group. A null protocol, port or end port means any.

    `source_ip_range` is the CIDR of the other side, or the cloud's own name for it. It has the id of an address
    list even if there is no such list.
    """

    class Direction(models.TextChoices):
        INBOUND = "inbound"
        OUTBOUND = "outbound"

    class NetworkProtocol(models.TextChoices):
        IPV4 = "IPV4"
        IPV6 = "IPV6"

    provider = models.ForeignKey(Provider, models.CASCADE, related_name="firewall_rules")
    ems_ref = models.CharField(max_length=255)
    security_group = models.ForeignKey(SecurityGroup, models.CASCADE, related_name="firewall_rules")
    direction = models.CharField(max_length=16, choices=Direction.choices)
    network_protocol = models.CharField(max_length=8, choices=NetworkProtocol.choices, null=True, blank=True)
    host_protocol = models.CharField(max_length=32, null=True, blank=True)
    port = models.IntegerField(null=True, blank=True)
    end_port = models.IntegerField(null=True, blank=True)
    source_ip_range = models.CharField(max_length=255, null=True, blank=True)
    source_security_group = models.ForeignKey(
        SecurityGroup, models.SET_NULL, null=True, blank=True, related_name="rules_that_name_it"
    )
    source_address_list = models.ForeignKey(
        AddressList, models.SET_NULL, null=True, blank=True, related_name="firewall_rules"
    )
    description = models.TextField(null=True, blank=True)

    objects = FirewallRuleQuerySet.as_manager()
    mapping = ValueMapping(
        Rule,
        ref="ems_ref",
        group_ref="security_group__ems_ref",
        source_group_ref="source_security_group__ems_ref",
        address_list_ref="source_address_list__ems_ref",
    )

    class Meta:
        ordering = ["id"]
        constraints = [unique_in_provider("firewall_rule")]
        indexes = [
            index_of_text("source_ip_range", "firewall_rule_source_ip_range"),
            # Finds the groups that let a service through, without their rows.
            models.Index(
                fields=["direction", "host_protocol", "port"],
                include=[
                    "id",
                    "end_port",
                    "network_protocol",
                    "source_ip_range",
                    "source_security_group",
                    "source_address_list",
                    "security_group",
                    "provider",
                ],
                name="firewall_rule_service",
            ),
            models.Index(fields=["direction"], condition=ODD, name="firewall_rule_odd"),
        ]

    def __str__(self) -> str:
        return self.ems_ref
