"""Exporting the inventory of a provider, and connecting what was exported."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.drivers.file import FileDriver
from inventory.drivers.values import (
    AddressList,
    Connection,
    Group,
    Instance,
    Inventory,
    Network,
    Port,
    Rule,
    Tenant,
)
from inventory.models import NetworkPort, Provider, Vm
from inventory.refresh import Refresh, _write, refresh
from secgroups.export import exported
from secgroups.models import SecurityGroup
from tests import cast as actors
from tests.bench.large import inventory as large
from tests.cast import FILE, Cast
from tests.clouds import Grip, MemoryCloud

#: Something of everything, each part in the order of the export.
EVERYTHING = Inventory(
    tenants=(Tenant("t-1", "acme", "a tenant"), Tenant("t-2", "umbra"), Tenant("t-3", "sol")),
    networks=(
        Network("n-1", "production", "10.0.0.0/8", "t-1", ("n-2", "n-3")),
        Network("n-2", "bare", peer_refs=("n-1",)),
        Network("n-3", "beyond", peer_refs=("n-1",)),
    ),
    groups=(
        Group("sg-1", "web", 'für "alle"', "t-1", "n-1", False, ("*", "t-2")),
        Group("sg-2", "db", None, "t-1", None, True, ("t-2", "t-3"), ("n-1", "n-2")),
        Group("sg-3", "bare"),
    ),
    rules=(
        Rule("r-1", "sg-1", "inbound", "IPV4", "tcp", 80, 81, "10.0.0.0/8", None, "http"),
        Rule("r-2", "sg-1", "inbound", "IPV6", "icmp", 0, 0, None, "sg-2"),
        Rule("r-3", "sg-2", "outbound"),
        Rule("r-4", "sg-2", "inbound", None, "tcp", source_ip_range="pl-1", address_list_ref="pl-1"),
        Rule("r-5", "sg-2", "inbound", None, "udp", source_ip_range="pl-2", address_list_ref="pl-2"),
        Rule("r-6", "sg-2", "outbound", None, "tcp", source_ip_range="pl-3", address_list_ref="pl-3"),
    ),
    instances=(
        Instance("i-1", "web-1", "on", "ACTIVE", "t-1", "small", "zone-1", "here", "the first"),
        Instance("i-2", "bare", "unknown", "strange"),
    ),
    ports=(
        Port(
            "p-1",
            "eth0",
            "i-1",
            "t-1",
            "n-1",
            "00:00:5e:00:53:01",
            "ACTIVE",
            ("10.0.0.1",),
            ("sg-1", "sg-2"),
            public_ip_addresses=("198.51.100.1",),
            allowed_address_pairs=("10.0.0.9", "10.1.0.0/16"),
            device_owner="compute:nova",
            requester_managed=True,
        ),
        Port("p-2", None, "i-1", port_security_enabled=False),
        Port("p-3", "loose", group_refs=("sg-3",)),
    ),
    address_lists=(
        AddressList("pl-1", "offices", "t-1", "IPV4", 20, ("10.0.0.0/8", "192.0.2.1/32")),
        AddressList("pl-2", "empty", entries=()),
        AddressList("pl-3", "unknown"),
    ),
)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, settings: Any) -> Path:
    settings.INVENTORY_FILES = tmp_path
    return tmp_path


def brought_in(name: str, inventory: Inventory) -> Provider:
    """A provider whose cloud has exactly this."""
    provider = actors.provider(name)
    _write(Refresh(provider, MemoryCloud, inventory, timezone.now()), lambda: None)
    return provider


def connected(name: str, file: str) -> Provider:
    """What is in a file, as a provider."""
    provider = actors.provider(name, vendor=FILE, url=f"file:///{file}")
    refresh(provider, Grip())
    return provider


def inventory_of(provider: Provider) -> Inventory:
    return Inventory(**{part: tuple(values) for part, values in exported(provider).items()})


def export(*arguments: str) -> str:
    out = StringIO()
    call_command("exportprovider", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as raised:
        export(*arguments)
    return str(raised.value)


@pytest.mark.django_db
class TestRoundTrip:
    def test_the_inventory_is_what_the_cloud_has(self) -> None:
        assert inventory_of(brought_in("acme", EVERYTHING)) == EVERYTHING

    def test_what_is_exported_can_be_connected_and_is_the_same(self, files: Path) -> None:
        acme = brought_in("acme", EVERYTHING)
        export("acme", "--output", str(files / "acme.json"))
        copy = connected("copy", "acme.json")
        assert inventory_of(copy) == inventory_of(acme) == EVERYTHING
        assert export("copy") == (files / "acme.json").read_text()

    def test_so_is_that_of_the_cast_after_a_refresh(self, files: Path, cast: Cast, cloud: MemoryCloud) -> None:
        actors.rule(cast.production.web, 443)
        cloud.set_port("eni-staging-double-2", group_refs=("sg-staging-web", "sg-staging-db"))
        refresh(cast.acme, Grip())
        export("acme", "--output", str(files / "acme.json"))
        read = FileDriver(Connection("file:///acme.json")).inventory()
        assert read == inventory_of(cast.acme)
        unordered = lambda found: {part: {one.ref for one in getattr(found, part)} for part in exported(cast.acme)}  # noqa: E731
        assert unordered(read) == unordered(cloud.inventory())

    def test_the_order_is_that_of_the_refs_whenever_they_came_in(self) -> None:
        instances = [Instance(ref, ref, "on", "on") for ref in ("B", "a", "C", "ä")]
        acme = brought_in("acme", Inventory(instances=tuple(instances)))
        assert [one.ref for one in inventory_of(acme).instances] == ["B", "C", "a", "ä"]

    def test_instances_are_those_of_a_file_afterwards(self, files: Path) -> None:
        brought_in("acme", EVERYTHING)
        export("acme", "--output", str(files / "acme.json"))
        copy = connected("copy", "acme.json")
        assert set(Vm.objects.filter(provider=copy).values_list("vendor", flat=True)) == {FILE}
        groups = SecurityGroup.objects.filter(provider=copy)
        assert set(groups.values_list("vendor", flat=True)) == {FILE}

    def test_what_leads_nowhere_is_left_out(self, files: Path) -> None:
        whole = json.loads(export_of(EVERYTHING))
        for part in ("tenants", "networks", "instances"):
            whole[part] = []
        whole["groups"] = whole["groups"][:1]
        (files / "acme.json").write_text(json.dumps(whole))
        read = inventory_of(connected("copy", "acme.json"))
        assert [group.ref for group in read.groups] == ["sg-1"]
        assert [rule.ref for rule in read.rules] == ["r-1", "r-2"]
        assert [port.group_refs for port in read.ports] == [("sg-1",), (), ()]
        assert {port.instance_ref for port in read.ports} == {None}

    def test_a_changed_file_is_a_changed_inventory(self, files: Path) -> None:
        brought_in("acme", EVERYTHING)
        export("acme", "--output", str(files / "acme.json"))
        copy = connected("copy", "acme.json")
        content = (files / "acme.json").read_text()
        (files / "acme.json").write_text(content.replace("web-1", "web-2"))
        refresh(copy, Grip())
        assert Vm.objects.get(provider=copy, ems_ref="i-1").name == "web-2"
        again = replace(EVERYTHING.instances[0], name="web-2")
        assert inventory_of(copy) == replace(EVERYTHING, instances=(again, EVERYTHING.instances[1]))


def export_of(inventory: Inventory) -> str:
    brought_in("whole", inventory)
    return export("whole")


@pytest.mark.django_db
class TestCommand:
    def test_it_writes_what_is_known_of_one_provider_and_no_more(self, cast: Cast) -> None:
        other = brought_in("other", EVERYTHING)
        written = json.loads(export("acme"))
        assert [one["ref"] for one in written["tenants"]] == ["t-account"]
        assert {part: len(entries) for part, entries in written.items() if part != "portcullis"} == {
            "tenants": 1,
            "networks": 2,
            "groups": 6,
            "rules": 0,
            "instances": 4,
            "ports": 6,
            "address_lists": 0,
        }
        assert other.name not in json.dumps(written)

    def test_a_provider_is_named_by_its_name_or_its_id(self, cast: Cast) -> None:
        assert export(str(cast.acme.pk)) == export("acme")

    def test_a_name_goes_before_an_id(self, cast: Cast) -> None:
        brought_in(str(cast.acme.pk), Inventory(tenants=(Tenant("t-number", "x"),)))
        assert "t-number" in export(str(cast.acme.pk))

    @pytest.mark.parametrize("name", ["nosuch", "0", "9" * 30, "²"])
    def test_a_provider_that_is_none_is_said(self, name: str) -> None:
        assert refused(name) == f"There is no provider {name}"

    def test_no_secret_is_read_and_none_is_written(self, cast: Cast) -> None:
        actors.give_credentials(cast.acme, userid="me", password="hidden")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            written = export("acme")
        assert not [query for query in queries.captured_queries if "credentials" in query["sql"]]
        assert "hidden" not in written

    def test_no_cloud_is_asked(self, cast: Cast, cloud: MemoryCloud) -> None:
        export("acme")
        assert cloud.calls == []

    def test_a_file_is_replaced_as_a_whole(self, cast: Cast, files: Path) -> None:
        target = files / "acme.json"
        target.write_text("the old one")
        export("acme", "--output", str(target))
        assert json.loads(target.read_text())["portcullis"] == 1
        assert [path.name for path in files.iterdir()] == ["acme.json"]

    def test_a_file_stays_as_it_was_where_the_new_one_fails(
        self, cast: Cast, files: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaks(*arguments: Any) -> Any:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("secgroups.management.commands.exportprovider.os.fsync", breaks)
        target = files / "acme.json"
        target.write_text("the old one")
        assert refused("acme", "--output", str(target)) == f"Can't write to {target}: No space left on device"
        assert target.read_text() == "the old one"
        assert [path.name for path in files.iterdir()] == ["acme.json"]

    def test_a_folder_that_is_not_there_is_said(self, cast: Cast, files: Path) -> None:
        target = files / "nowhere" / "acme.json"
        assert refused("acme", "--output", str(target)) == f"Can't write to {target}: No such file or directory"

    def test_a_large_inventory_takes_few_queries(self) -> None:
        brought_in("large", large(2_000, 200, 2_000))
        with CaptureQueriesContext(connection) as queries:
            written = export("large")
        assert len(json.loads(written)["ports"]) == NetworkPort.objects.count() == 2_000
        assert len(queries) == 1 + 8 + 4  # the provider, the parts, networks' peers, and ports' groups in batches
