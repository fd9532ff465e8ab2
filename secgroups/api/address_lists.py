from __future__ import annotations

from django.db.models import F

from inventory.rest.resources import TextList, ToMany, ToOne
from inventory.rest.serializers import IdField, ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet
from secgroups.models import AddressList


class AddressListSerializer(ResourceSerializer):
    ems_id = IdField(source="provider_id")

    class Meta:
        model = AddressList
        fields = ["name", "ems_id", "ems_ref", "cloud_tenant_id", "network_protocol", "max_entries"]


class AddressListViewSet(CollectionViewSet):
    """Prefix lists and address groups that firewall rules name. `entries` is null if they are not known."""

    collection = "address_lists"
    queryset = AddressList.objects.connected()
    serializer_class = AddressListSerializer
    computed = {"entries": F("entries")}
    lists = {"entries": TextList("entries")}
    relations = {
        "ext_management_system": ToOne("providers", "provider_id"),
        "cloud_tenant": ToOne("cloud_tenants", "cloud_tenant_id"),
        "firewall_rules": ToMany("firewall_rules", "source_address_list", back="source_address_list"),
    }
