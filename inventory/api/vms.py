from __future__ import annotations

from collections.abc import Mapping, Sequence

from inventory.api.refreshable import RefreshMixin
from inventory.db.conditions import compare
from inventory.db.lookups import Numbers
from inventory.models import Instance, NetworkPort, Vm
from inventory.rest.classes import Classes
from inventory.rest.hrefs import Hrefs
from inventory.rest.resources import Costly, RelatedCount, Subcollection, TextList, ToMany, ToOne, Viewer
from inventory.rest.serializers import ClassNameField, IdField, ResourceSerializer


class VmSerializer(ResourceSerializer):
    type = ClassNameField("CloudManager::Vm")
    ems_id = IdField(source="provider_id")

    class Meta:
        model = Vm
        fields = [
            "name",
            "guid",
            "description",
            "vendor",
            "type",
            "ems_id",
            "ems_ref",
            "uid_ems",
            "cloud_tenant_id",
            "cloud",
            "template",
            "power_state",
            "raw_power_state",
            "flavor_name",
            "availability_zone_name",
            "location",
            "created_on",
            "updated_on",
        ]


def _addresses(vms: Sequence[int], viewer: Viewer, hrefs: Hrefs) -> Mapping[int, Mapping[str, list[str]]]:
    """The addresses of the ports of each VM, in the order of the ports."""
    names = ("ipaddresses", "public_ipaddresses", "mac_addresses")
    addresses: dict[int, dict[str, list[str]]] = {pk: {name: [] for name in names} for pk in vms}
    ports = NetworkPort.objects.visible_to(viewer.user).filter(vm__among=Numbers(vms)).order_by("pk")
    for vm, every, public, mac_address in ports.values_list(
        "vm", "ipaddresses", "public_ipaddresses", "mac_address"
    ):
        addresses[vm]["ipaddresses"] += every
        addresses[vm]["public_ipaddresses"] += public
        addresses[vm]["mac_addresses"] += filter(None, [mac_address])
    return addresses


#: ManageIQ's class of all instances.
OF_CLOUDS = "ManageIQ::Providers::CloudManager::Vm"


class VmViewSet(RefreshMixin):
    """Virtual machines of all providers."""

    collection = "vms"
    kind = "instance"
    identified_by = ("guid",)
    queryset = Vm.objects.connected().select_related("provider").defer("provider__credentials")
    serializer_class = VmSerializer
    classes = Classes(("Vm",), {OF_CLOUDS: compare("cloud", True)})
    computed = {
        "total_security_groups": RelatedCount(Vm, "security_groups"),
        "ipaddresses": _addresses,
        "public_ipaddresses": _addresses,
        "mac_addresses": _addresses,
        "effective_rules": Costly("secgroups.api.effective_rules.of_vms"),
        "exposed_services": Costly("secgroups.api.exposed.of_vms"),
    }
    filters = {"exposed": "secgroups.api.exposed.ExposedVmFilter"}
    lists = {
        "ipaddresses": TextList("ipaddresses", NetworkPort, "vm"),
        "public_ipaddresses": TextList("public_ipaddresses", NetworkPort, "vm"),
        "mac_addresses": TextList("mac_address", NetworkPort, "vm"),
    }
    relations = {
        "ext_management_system": ToOne("providers", "provider_id"),
        "cloud_tenant": ToOne("cloud_tenants", "cloud_tenant_id"),
        "security_groups": ToMany("security_groups", "vms", few=True),
        "network_ports": ToMany("network_ports", "vm", back="device", few=True),
    }
    subcollections = {
        "security_groups": Subcollection(
            "secgroups.api.VmSecurityGroupViewSet", "vms", few=True, history="secgroups.history.groups_of_vm"
        ),
        "event_streams": Subcollection("inventory.api.EventStreamViewSet", "vm_or_template_id"),
    }


class InstanceViewSet(VmViewSet):
    """Virtual machines of clouds."""

    collection = "instances"
    queryset = Instance.objects.connected().select_related("provider").defer("provider__credentials")
    classes = Classes((OF_CLOUDS,))
