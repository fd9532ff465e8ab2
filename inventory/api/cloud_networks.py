from __future__ import annotations

from inventory.models import CloudNetwork
from inventory.rest.resources import ToMany, ToOne
from inventory.rest.serializers import IdField, ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet


class CloudNetworkSerializer(ResourceSerializer):
    ems_id = IdField(source="provider_id")

    class Meta:
        model = CloudNetwork
        fields = ["name", "cidr", "ems_id", "ems_ref", "cloud_tenant_id"]


class CloudNetworkViewSet(CollectionViewSet):
    """Networks; on EC2, VPCs."""

    collection = "cloud_networks"
    queryset = CloudNetwork.objects.connected()
    serializer_class = CloudNetworkSerializer
    relations = {
        "ext_management_system": ToOne("providers", "provider_id"),
        "cloud_tenant": ToOne("cloud_tenants", "cloud_tenant_id"),
        "security_groups": ToMany("security_groups", "cloud_network", back="cloud_network"),
    }
