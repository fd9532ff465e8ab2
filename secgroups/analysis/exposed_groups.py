"""Which groups and VMs are open to the public on a port, on behalf of a user."""

from __future__ import annotations

from typing import Any, Literal

from django.db.models import QuerySet

from inventory.db.conditions import EVERYTHING
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.models import Membership

#: A port, or anything.
Exposed = int | Literal["any"]


def exposed_groups(port: Exposed, viewer: Viewer) -> QuerySet[Any, Any]:
    """The ids of the groups that open this port of any protocol to public addresses."""
    rows: Any = viewer.visible(get_resource_type("exposures"))
    groups: QuerySet[Any, Any] = rows if port == "any" else rows.for_ports(port, port)
    return groups.order_by().values("security_group")


def exposed_vms(port: Exposed, viewer: Viewer) -> QuerySet[Any, Any]:
    """The ids of the VMs with a port that has such a group, or that has port security off."""
    port_type = get_resource_type("network_ports")
    ports = viewer.visible(port_type)
    members = Membership.objects.filter(security_group__in=exposed_groups(port, viewer), vm__isnull=False)
    if viewer.scope(port_type) is not EVERYTHING:
        members = members.filter(network_port__in=ports.values("pk"))
    unsecured = ports.filter(port_security_enabled=False, vm__isnull=False)
    # A union is joined once. Two conditions would be tried for each VM.
    return members.order_by().values("vm").union(unsecured.order_by().values("vm"), all=True)
