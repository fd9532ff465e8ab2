from __future__ import annotations

from django.db.models import OuterRef, Subquery

from inventory.rest.resources import ToMany, ToOne
from inventory.rest.serializers import IdField, ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet
from secgroups.models import Expiration, FirewallRule


class FirewallRuleSerializer(ResourceSerializer):
    resource_id = IdField(source="security_group_id")

    class Meta:
        model = FirewallRule
        fields = [
            "resource_id",
            "direction",
            "network_protocol",
            "host_protocol",
            "port",
            "end_port",
            "source_ip_range",
            "source_security_group_id",
            "source_address_list_id",
            "description",
            "ems_ref",
        ]


class FirewallRuleViewSet(CollectionViewSet):
    """Firewall rules of security groups."""

    collection = "firewall_rules"
    queryset = FirewallRule.objects.connected()
    serializer_class = FirewallRuleSerializer
    computed = {
        "expires_on": Subquery(Expiration.objects.filter(firewall_rule=OuterRef("pk")).values("expires_on")[:1])
    }
    relations = {
        "security_group": ToOne("security_groups", "security_group_id"),
        "source_security_group": ToOne("security_groups", "source_security_group_id"),
        "source_address_list": ToOne("address_lists", "source_address_list_id"),
        "exposures": ToMany("exposures", "firewall_rules", back="firewall_rules", few=True),
    }
