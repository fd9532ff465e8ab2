"""`deploy/prometheus` and `deploy/grafana`: they load, alerts fire when they should, and name what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, Metric

from inventory.metrics import requests
from inventory.metrics.state import StateCollector
from tests.servers import DEPLOY

HERE = Path(__file__).parent
ROOT = DEPLOY.parent
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "portcullis.json").read_text())
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
#: The names of samples that a family of metrics has.
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def exported() -> set[str]:
    """The names of all samples that `/metrics` may have."""
    assert requests  # made with the module
    families: list[Metric] = [*REGISTRY.collect(), *StateCollector().collect()]
    return {
        family.name + suffix
        for family in families
        if family.name.startswith("portcullis_")
        for suffix in SUFFIXES[family.type]
    }


def expressions(node: Any) -> Iterator[str]:
    """What a dashboard asks Prometheus, in panels and variables."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in {"expr", "query"} and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DASHBOARD["panels"]
    return found


def named(expressions: Iterator[str] | list[str]) -> set[str]:
    return {name for text in expressions for name in re.findall(r"\bportcullis_\w+", text)}


def test_rules_and_the_dashboard_name_metrics_that_there_are(db: None) -> None:
    asked = named([rule["expr"] for rule in RULES]) | named(expressions(DASHBOARD))
    assert len(asked) > 15
    assert asked - exported() == set()


def test_every_metric_is_on_the_dashboard(db: None) -> None:
    shown = named(expressions(DASHBOARD))
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported()}
    assert {family for family in families if not any(name.startswith(family) for name in shown)} == set()


def test_every_metric_is_documented(db: None) -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported()}
    assert {family for family in families if f"`{family}`" not in text} == set()


def test_panels_are_told_apart_and_do_not_overlap() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_panel_asks_the_chosen_prometheus() -> None:
    for panel in panels():
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
            assert target["expr"]


def test_every_alert_says_what_happened_and_where_to_read_on() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    headings = {line.removeprefix("### ") for line in text.splitlines() if line.startswith("### ")}
    assert {rule["alert"] for rule in RULES} <= headings
    for rule in RULES:
        name, notes = rule["alert"], rule["annotations"]
        assert notes["runbook"] == f"docs/operations.md#{name.lower()}"
        assert notes["summary"].endswith(".")
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_every_alert_is_tried() -> None:
    """`alerts.yml` here has a case where it fires and one where it does not yet."""
    cases = yaml.safe_load((HERE / "alerts.yml").read_text())["tests"]
    tried = {(case["alertname"], bool(case["exp_alerts"])) for test in cases for case in test["alert_rule_test"]}
    assert tried == {(rule["alert"], fires) for rule in RULES for fires in (True, False)}


@pytest.mark.hosts
class TestPromtool:
    """With Debian's `prometheus`, which `.ci/services install` brings."""

    @staticmethod
    def promtool(*arguments: str | Path, cwd: Path = ROOT) -> str:
        found = shutil.which("promtool")
        assert found, "promtool is missing; .ci/services install brings it"
        ended = subprocess.run([found, *arguments], cwd=cwd, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def test_the_rules_load(self) -> None:
        assert f"{len(RULES)} rules found" in self.promtool("check", "rules", ALERTS)

    def test_the_example_of_a_configuration_loads(self) -> None:
        assert "SUCCESS" in self.promtool("check", "config", DEPLOY / "prometheus" / "prometheus.yml")

    def test_alerts_fire_when_they_should(self) -> None:
        assert "SUCCESS" in self.promtool("test", "rules", "alerts.yml", cwd=HERE)

    def test_it_reads_what_the_service_shows(self, db: None, client: Any) -> None:
        shown = client.get("/metrics").content
        found = shutil.which("promtool")
        assert found
        ended = subprocess.run([found, "check", "metrics"], input=shown, capture_output=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def test_the_dashboard_asks_what_prometheus_understands(self, tmp_path: Path) -> None:
        asked = [text for text in expressions(panels()) if text]
        groups = [
            {"name": str(number), "rules": [{"record": f"tried_{number}", "expr": self.concrete(text)}]}
            for number, text in enumerate(asked)
        ]
        (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
        assert f"{len(asked)} rules found" in self.promtool("check", "rules", tmp_path / "rules.yml")

    @staticmethod
    def concrete(text: str) -> str:
        """An expression without Grafana's variables."""
        return text.replace("$__rate_interval", "5m").replace("$provider", ".*").replace("$route", ".*")
