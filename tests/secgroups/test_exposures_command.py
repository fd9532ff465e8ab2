"""`manage.py exposures`."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from secgroups.exposures import settle_leftovers
from secgroups.management.commands import exposures
from secgroups.models import Exposure, SecurityGroup
from tests import cast as actors
from tests.cast import Cast


@pytest.fixture(autouse=True)
def _open(cast: Cast) -> None:
    actors.public_rule(cast.staging.web, 443)
    actors.public_rule(cast.production.default, 22, "8.8.8.0/24")
    actors.public_rule(cast.production.web, 8443, "9.0.0.0/8")
    actors.public_rule(cast.staging.default, 3389)
    other = actors.network(actors.tenant(actors.provider("other")), "other")
    rule = actors.public_rule(actors.group(other, "all"), 0)
    rule.host_protocol = rule.port = rule.end_port = None
    rule.save()
    settle_leftovers()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("exposures", *arguments, stdout=out)
    return out.getvalue()


def read(*arguments: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(StringIO(run("--csv", *arguments))))


def test_the_worst_come_first() -> None:
    worst_first = ["medium", "low", "low", "none", "none"]  # which is no order of letters
    assert [row["severity"] for row in read()] == worst_first
    assert [line.split()[0] for line in run().splitlines()] == worst_first


def test_a_row_has_everything(cast: Cast) -> None:
    [row] = (row for row in read() if row["service"] == "ssh")
    exposure = Exposure.objects.get(service="ssh")
    assert row == {
        "severity": "low",
        "provider": "acme",
        "security_group": "default",
        "security_group_ref": "sg-production-default",
        "network_protocol": "IPV4",
        "host_protocol": "tcp",
        "port": "22",
        "end_port": "22",
        "service": "ssh",
        "breadth": "narrow",
        "source_ip_ranges": "8.8.8.0/24",
        "total_vms": "2",
        "total_public_vms": "0",
        "firewall_rule_ids": str(exposure.firewall_rules.get().pk),
        "id": str(exposure.pk),
    }


def test_a_line_says_it_in_short() -> None:
    text = run("--provider", "acme")
    assert "low       narrow  IPV4  ssh                     0/2  acme: default (sg-production-default)\n" in text
    assert "tcp 8443" in text
    assert "everything" in run("--provider", "other")


def test_one_provider_is_listed_by_name_or_id(cast: Cast) -> None:
    for name in ("acme", str(cast.acme.pk)):
        assert {row["provider"] for row in read("--provider", name)} == {"acme"}
    with pytest.raises(CommandError, match="There is no provider nowhere"):
        run("--provider", "nowhere")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_cell_is_a_formula(name: str) -> None:
    SecurityGroup.objects.update(name=name)
    assert {row["security_group"] for row in read()} == {f"'{name}"}


def test_rows_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposures, "BATCH", 2)
    with CaptureQueriesContext(connection) as queries:
        assert len(read()) == 5
    assert len(queries) == 1
