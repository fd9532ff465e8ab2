"""Recording which ports have public addresses. Exposures count them, in groups of any size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction

from inventory.db.bulk import among, batches, copy_rows
from inventory.models import NetworkPort
from secgroups.models import PublicPort
from secgroups.traffic.addresses import public_families

_COLUMNS = ("network_port_id", "network_protocol")


@transaction.atomic(savepoint=False)
def record_public_ports(ports: Iterable[int]) -> None:
    """Record which of these ports (primary keys) have public addresses, from their rows."""
    for batch in batches(ports):
        rows = NetworkPort.objects.filter(pk__in=among(batch)).order_by()
        columns = rows.values_list("pk", "ipaddresses", "public_ipaddresses")
        _write(dict.fromkeys(batch, frozenset()) | {pk: public_families(*addresses) for pk, *addresses in columns})


def _write(families: Mapping[int, Iterable[str]]) -> None:
    """Give each port (primary key) these families."""
    rows = PublicPort.objects.filter(network_port__in=among(families))
    existing = {(port, family): pk for pk, port, family in rows.values_list("pk", *_COLUMNS)}
    wanted = {(port, family) for port, public in families.items() for family in public}
    if gone := existing.keys() - wanted:
        PublicPort.objects.filter(pk__in=among(existing[key] for key in gone)).delete()
    copy_rows(PublicPort, _COLUMNS, sorted(wanted - existing.keys()))
