"""Which groups and VMs are open to the public on a port."""

from __future__ import annotations

from typing import Any, Literal

from django.db.models import QuerySet

from inventory.models import NetworkPort
from secgroups.models import Exposure, Membership

#: A port, or anything.
Exposed = int | Literal["any"]


def exposed_groups(port: Exposed) -> QuerySet[Any, Any]:
    """The ids of the groups that open this port of any protocol to public addresses."""
    rows = Exposure.objects.all() if port == "any" else Exposure.objects.for_ports(port, port)
    return rows.order_by().values("security_group")


def exposed_vms(port: Exposed) -> QuerySet[Any, Any]:
    """The ids of the VMs with a port that has such a group, or that has port security off."""
    members = Membership.objects.filter(security_group__in=exposed_groups(port), vm__isnull=False)
    unsecured = NetworkPort.objects.filter(port_security_enabled=False, vm__isnull=False)
    # A union is joined once. Two conditions would be tried for each VM.
    return members.order_by().values("vm").union(unsecured.order_by().values("vm"), all=True)
