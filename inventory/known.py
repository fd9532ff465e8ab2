"""What the inventory has already, in the words of drivers."""

from __future__ import annotations

from inventory.drivers.values import Instance
from inventory.models import Provider, Vm


def known_instances(provider: Provider) -> dict[str, Instance]:
    """The instances of a provider by ref, as they were read last."""
    columns = (
        "ems_ref",
        "name",
        "power_state",
        "raw_power_state",
        "cloud_tenant__ems_ref",
        "flavor_name",
        "availability_zone_name",
        "location",
        "description",
    )
    rows = Vm.objects.filter(provider=provider).order_by().values_list(*columns)
    return {row[0]: Instance(*row) for row in rows.iterator()}
