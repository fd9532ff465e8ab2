from __future__ import annotations

from django.db.models import F

from inventory.models import NetworkPort
from inventory.rest.resources import Costly, TextList, ToMany, ToOne
from inventory.rest.serializers import IdField, ResourceSerializer
from inventory.rest.viewsets import CollectionViewSet

#: The columns that are lists of addresses or CIDRs.
ADDRESSES = ("ipaddresses", "public_ipaddresses", "allowed_address_pairs")


class NetworkPortSerializer(ResourceSerializer):
    ems_id = IdField(source="provider_id")
    device_id = IdField(source="vm_id")

    class Meta:
        model = NetworkPort
        fields = [
            "name",
            "ems_id",
            "ems_ref",
            "device_id",
            "cloud_tenant_id",
            "cloud_network_id",
            "mac_address",
            "status",
            "port_security_enabled",
            "device_owner",
            "requester_managed",
        ]


class NetworkPortViewSet(CollectionViewSet):
    """Network interfaces: Neutron ports and ENIs."""

    collection = "network_ports"
    queryset = NetworkPort.objects.connected()
    serializer_class = NetworkPortSerializer
    computed = {
        **{name: F(name) for name in ADDRESSES},
        "effective_rules": Costly("secgroups.api.effective_rules.of_ports"),
    }
    lists = {name: TextList(name) for name in ADDRESSES}
    relations = {
        "device": ToOne("vms", "vm_id"),
        "security_groups": ToMany("security_groups", "network_ports", back="network_ports", few=True),
        "cloud_network": ToOne("cloud_networks", "cloud_network_id"),
    }
