"""List what security groups open to the public."""

from __future__ import annotations

import csv
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import BaseCommand

from secgroups.management.named import provider_named
from secgroups.models import Exposure
from secgroups.querysets import BY_SEVERITY

#: The columns of the CSV, with their lookups.
COLUMNS = {
    "severity": "severity",
    "provider": "provider__name",
    "security_group": "security_group__name",
    "security_group_ref": "security_group__ems_ref",
    "network_protocol": "network_protocol",
    "host_protocol": "host_protocol",
    "port": "port",
    "end_port": "end_port",
    "service": "service",
    "breadth": "breadth",
    "source_ip_ranges": "source_ip_ranges",
    "total_vms": "total_vms",
    "total_public_vms": "total_public_vms",
    "firewall_rule_ids": "rule_ids",
    "id": "pk",
}
#: Rows in memory at a time.
BATCH = 1_000
#: A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Command(BaseCommand):
    help = "Lists what security groups open to public addresses, the worst first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--provider", metavar="NAME", help="name or id of a provider (default: all)")
        parser.add_argument("--csv", action="store_true", help="as CSV, with all columns")

    def handle(self, *, provider: str | None, csv: bool, **options: Any) -> None:
        rows = Exposure.objects.connected().described()
        if provider is not None:
            rows = rows.filter(provider=provider_named(provider))
        found = rows.order_by(BY_SEVERITY, "pk").values_list(*COLUMNS.values()).iterator(BATCH)
        if csv:
            self._write_csv(found)
        else:
            for row in found:
                self.stdout.write(_line(dict(zip(COLUMNS, row, strict=True))))

    def _write_csv(self, rows: Iterator[Sequence[Any]]) -> None:
        writer = csv.writer(self.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(_cell, row) for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _line(row: dict[str, Any]) -> str:
    service = row["service"] or row["host_protocol"] or "everything"
    if row["service"] is None and row["port"] is not None:
        service += (
            f" {row['port']}" if row["end_port"] in (None, row["port"]) else f" {row['port']}-{row['end_port']}"
        )
    having = f"{row['total_public_vms']}/{row['total_vms']}"
    group = f"{row['provider']}: {row['security_group']} ({row['security_group_ref']})"
    return (
        f"{row['severity']:8}  {row['breadth']:6}  {row['network_protocol']}  {service:16}  {having:>9}  {group}"
    )
