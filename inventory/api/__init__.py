"""The collections of this app."""

from inventory.api.cloud_networks import CloudNetworkViewSet
from inventory.api.cloud_tenants import CloudTenantViewSet
from inventory.api.event_streams import EventStreamViewSet
from inventory.api.grants import GrantViewSet
from inventory.api.groups import GroupViewSet
from inventory.api.network_ports import NetworkPortViewSet
from inventory.api.providers import ProviderViewSet
from inventory.api.tasks import TaskViewSet
from inventory.api.tokens import TokenViewSet
from inventory.api.users import UserViewSet
from inventory.api.vms import InstanceViewSet, VmViewSet
from inventory.api.zones import ZoneViewSet

__all__ = [
    "CloudNetworkViewSet",
    "CloudTenantViewSet",
    "EventStreamViewSet",
    "GrantViewSet",
    "GroupViewSet",
    "InstanceViewSet",
    "NetworkPortViewSet",
    "ProviderViewSet",
    "TaskViewSet",
    "TokenViewSet",
    "UserViewSet",
    "VmViewSet",
    "ZoneViewSet",
]
