from __future__ import annotations

from inventory.rest.resources import Costly, RelatedCount, Subcollection, ToMany, ToOne
from inventory.rest.serializers import ClassNameField, IdField, ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet
from secgroups.api.exposed import ExposedGroupFilter
from secgroups.api.group_use import UnusedFilter
from secgroups.models import SecurityGroup


class SecurityGroupSerializer(ResourceSerializer):
    type = ClassNameField("NetworkManager::SecurityGroup")
    ems_id = IdField(source="provider_id")

    class Meta:
        model = SecurityGroup
        fields = [
            "name",
            "description",
            "type",
            "ems_id",
            "ems_ref",
            "cloud_tenant_id",
            "cloud_network_id",
            "stateful",
            "created_on",
            "updated_on",
        ]


class SecurityGroupViewSet(CollectionViewSet):
    """Security groups."""

    collection = "security_groups"
    queryset = SecurityGroup.objects.connected()
    serializer_class = SecurityGroupSerializer
    computed = {
        "total_vms": RelatedCount(SecurityGroup, "vms"),
        "total_firewall_rules": RelatedCount(SecurityGroup, "firewall_rules"),
        "effective_rules": Costly("secgroups.api.effective_rules.of_groups"),
        "used_by": Costly("secgroups.api.group_use.used_by"),
    }
    filters = {"exposed": ExposedGroupFilter(label="exposed"), "unused": UnusedFilter(label="unused")}
    relations = {
        "ext_management_system": ToOne("providers", "provider_id"),
        "cloud_tenant": ToOne("cloud_tenants", "cloud_tenant_id"),
        "cloud_network": ToOne("cloud_networks", "cloud_network_id"),
        "firewall_rules": ToMany("firewall_rules", "security_group", few=True),
        "exposures": ToMany("exposures", "security_group", few=True),
        "vms": ToMany("vms", "security_groups"),
        "network_ports": ToMany("network_ports", "security_groups", back="security_groups"),
    }
    subcollections = {
        "vms": Subcollection(
            "secgroups.api.GroupVmViewSet", "security_groups", history="secgroups.history.vms_of_group"
        ),
        "instances": Subcollection(
            "secgroups.api.GroupInstanceViewSet", "security_groups", history="secgroups.history.vms_of_group"
        ),
        "firewall_rules": Subcollection(
            "secgroups.api.GroupFirewallRuleViewSet",
            "security_group",
            few=True,
            history="secgroups.history.rules_of_group",
        ),
        "exposures": Subcollection("secgroups.api.ExposureViewSet", "security_group", few=True),
        "event_streams": Subcollection("inventory.api.EventStreamViewSet", "security_group_id"),
    }
