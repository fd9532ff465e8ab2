from __future__ import annotations

from inventory.api.refreshable import RefreshMixin
from inventory.models import CloudTenant
from inventory.rest.resources import RelatedCount, Subcollection, ToMany, ToOne
from inventory.rest.serializers import IdField, ResourceSerializer


class CloudTenantSerializer(ResourceSerializer):
    ems_id = IdField(source="provider_id")

    class Meta:
        model = CloudTenant
        fields = ["name", "description", "enabled", "ems_id", "ems_ref", "created_on", "updated_on"]


class CloudTenantViewSet(RefreshMixin):
    """OpenStack projects and AWS accounts."""

    collection = "cloud_tenants"
    kind = "cloud_tenant"
    queryset = CloudTenant.objects.connected().select_related("provider").defer("provider__credentials")
    serializer_class = CloudTenantSerializer
    computed = {
        "total_vms": RelatedCount(CloudTenant, "vms"),
        "total_security_groups": RelatedCount(CloudTenant, "security_groups"),
    }
    relations = {
        "ext_management_system": ToOne("providers", "provider_id"),
        "instances": ToMany("instances", "cloud_tenant"),
        "security_groups": ToMany("security_groups", "cloud_tenant"),
    }
    subcollections = {
        "instances": Subcollection("inventory.api.InstanceViewSet", "cloud_tenant"),
        "security_groups": Subcollection("secgroups.api.SecurityGroupViewSet", "cloud_tenant"),
        "event_streams": Subcollection("inventory.api.EventStreamViewSet", "cloud_tenant_id"),
    }
