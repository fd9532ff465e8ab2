"""What groups open to the public: the collection, and what instances and groups say of it."""

from __future__ import annotations

from rest_framework import serializers

from inventory.rest.resources import Subcollection, TextList, ToMany, ToOne
from inventory.rest.serializers import IdField, ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet
from secgroups.analysis.exposure_scope import SCOPED
from secgroups.models import Exposure


class ExposureSerializer(ResourceSerializer):
    ems_id = IdField(source="provider_id")
    source_ip_ranges = serializers.ListField(child=serializers.CharField())
    firewall_rule_ids = serializers.ListField(child=IdField(), source="rule_ids")

    class Meta:
        model = Exposure
        fields = [
            "security_group_id",
            "ems_id",
            "network_protocol",
            "host_protocol",
            "port",
            "end_port",
            "service",
            "source_ip_ranges",
            "breadth",
            "severity",
            "total_vms",
            "total_public_vms",
            "firewall_rule_ids",
        ]


class ExposureViewSet(CollectionViewSet):
    """What groups open to public addresses: services of a group that are open to the same ones."""

    collection = "exposures"
    queryset = Exposure.objects.connected().described()
    serializer_class = ExposureSerializer
    lists = {"source_ip_ranges": TextList("source_ip_ranges")}
    scoped = SCOPED
    relations = {
        "ext_management_system": ToOne("providers", "provider_id"),
        "security_group": ToOne("security_groups", "security_group_id"),
        "firewall_rules": ToMany("firewall_rules", "exposures", back="exposures"),
    }
    subcollections = {
        "instances": Subcollection("inventory.api.InstanceViewSet", "security_groups__exposures"),
        "vms": Subcollection("inventory.api.VmViewSet", "security_groups__exposures"),
    }
