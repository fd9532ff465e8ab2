"""Provider type file: what is read from an exported inventory, and what never is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, get_args

import pytest

from inventory.drivers.exceptions import CloudRefused
from inventory.drivers.file import FileDriver, document, folder
from inventory.drivers.values import Connection, Group, Instance, Inventory, Network, Port, Rule, Tenant

EVERYTHING = Inventory(
    tenants=(Tenant("t-1", "acme", "a tenant"), Tenant("t-2", "umbra")),
    networks=(Network("n-1", "production", "10.0.0.0/8", "t-1"),),
    groups=(Group("sg-1", "web", "für alle", "t-1", "n-1", False, ("*", "t-2"), ("n-2",)), Group("sg-2", "db")),
    rules=(
        Rule("r-1", "sg-1", "inbound", "IPV4", "tcp", 80, 81, "10.0.0.0/8", None, "http"),
        Rule("r-2", "sg-1", "outbound", source_group_ref="sg-2"),
    ),
    instances=(Instance("i-1", "web-1", "on", "ACTIVE", "t-1", "small", "zone-1", "here", "first"),),
    ports=(
        Port(
            "p-1", "eth0", "i-1", "t-1", "n-1", "00:00:5e:00:53:01", "ACTIVE", ("10.0.0.1",), ("sg-1",), False, "7"
        ),
    ),
)


def parts(inventory: Inventory) -> dict[str, Any]:
    return {part: getattr(inventory, part) for part in document.PARTS}


@pytest.fixture
def files(tmp_path: Path, settings: Any) -> Path:
    """The one folder."""
    settings.INVENTORY_FILES = tmp_path / "inventories"
    settings.INVENTORY_FILES.mkdir()
    (tmp_path / "secret.json").write_text('{"portcullis": 1, "tenants": [{"ref": "secret", "name": "secret"}]}')
    return settings.INVENTORY_FILES


def read(url: str | None = "file:///acme.json") -> Inventory:
    return FileDriver(Connection(url)).inventory()


def refusal(url: str | None = "file:///acme.json") -> str:
    with pytest.raises(CloudRefused) as raised:
        read(url)
    return str(raised.value)


class TestFormat:
    @pytest.mark.parametrize(
        ("said", "name"), [("6", "tcp"), ("TCP", "tcp"), ("ipv6-icmp", "icmpv6"), ("-1", None)]
    )
    def test_a_protocol_has_one_spelling(self, files: Path, said: str, name: str | None) -> None:
        rule = {"ref": "r-1", "group_ref": "sg-1", "direction": "inbound", "host_protocol": said}
        (files / "acme.json").write_text(json.dumps({"portcullis": 1, "rules": [rule]}))
        assert read().rules[0].host_protocol == name

    def test_a_public_address_is_one_of_the_addresses(self, files: Path) -> None:
        port = {"ref": "p-1", "ip_addresses": ["10.0.0.1"], "public_ip_addresses": ["198.51.100.1"]}
        (files / "acme.json").write_text(json.dumps({"portcullis": 1, "ports": [port]}))
        [read_port] = read().ports
        assert read_port.ip_addresses == ("10.0.0.1", "198.51.100.1")
        assert read_port.own_ip_addresses == ("10.0.0.1",)

    def test_what_was_written_is_read(self, files: Path) -> None:
        (files / "acme.json").write_bytes(b"".join(document.dumped(parts(EVERYTHING))))
        assert read() == EVERYTHING

    def test_it_is_json_with_a_line_for_each_entry(self) -> None:
        written = b"".join(document.dumped(parts(EVERYTHING))).decode()
        assert json.loads(written)["groups"][0]["shared_with"] == ["*", "t-2"]
        assert written.splitlines()[:5] == [
            '{"portcullis":1,',
            '"tenants":[',
            '{"ref":"t-1","name":"acme","description":"a tenant"},',
            '{"ref":"t-2","name":"umbra","description":null}],',
            '"networks":[',
        ]

    def test_what_is_left_out_is_as_in_the_values(self, files: Path) -> None:
        (files / "acme.json").write_text('{"portcullis": 1, "ports": [{"ref": "p-1"}]}')
        assert read() == Inventory(ports=(Port("p-1"),))

    @pytest.mark.parametrize("part", document.PARTS)
    def test_an_entry_has_the_attributes_of_its_value(self, part: str) -> None:
        entry = get_args(document.Document.__annotations__[part])[0]
        assert entry.__struct_fields__ == tuple(document.PARTS[part].__dataclass_fields__)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "The file acme.json is not valid JSON: "),
            ('{"portcullis": 1', "is not valid JSON"),
            ('{"portcullis": 1} {}', "is not valid JSON"),
            (b'{"portcullis": 1, "tenants": [{"ref": "t", "name": "\xff"}]}', "is not valid JSON"),
            (r'{"portcullis": 1, "tenants": [{"ref": "t", "name": "\ud800"}]}', "is not valid JSON"),
            ("[" * 100_000, "is not an inventory of version 1"),
            ("{}", "Object missing required field `portcullis`"),
            ('{"portcullis": 2}', "is not an inventory of version 1: Invalid enum value 2 - at `$.portcullis`"),
            ('{"portcullis": 1, "instance": []}', "Object contains unknown field `instance`"),
        ],
    )
    def test_what_is_no_inventory_is_refused(self, files: Path, content: str | bytes, message: str) -> None:
        (files / "acme.json").write_bytes(content if isinstance(content, bytes) else content.encode())
        assert message in refusal()

    @pytest.mark.parametrize(
        ("part", "entry", "message"),
        [
            ("instances", {"name": "web"}, "missing required field `ref` - at `$.instances[1]`"),
            ("instances", {"ref": 5}, "Expected `str`, got `int` - at `$.instances[1].ref`"),
            ("tenants", {"ref": "t", "name": None}, "Expected `str`, got `null` - at `$.tenants[1].name`"),
            ("groups", {"ref": "g", "name": "x", "tenant": "t"}, "unknown field `tenant` - at `$.groups[1]`"),
            ("rules", {"ref": "r", "group_ref": "g", "direction": "in"}, "value 'in' - at `$.rules[1].direction`"),
            (
                "rules",
                {"ref": "r", "group_ref": "g", "direction": "inbound", "port": "80"},
                "at `$.rules[1].port`",
            ),
            ("ports", {"ref": "p", "group_refs": ["a", None]}, "at `$.ports[1].group_refs[1]`"),
            ("ports", {"ref": "p-1"}, "The file acme.json has two ports with the ref p-1."),
        ],
    )
    def test_an_entry_that_is_wrong_is_named(
        self, files: Path, part: str, entry: dict[str, Any], message: str
    ) -> None:
        whole = json.loads(b"".join(document.dumped(parts(EVERYTHING))))
        whole[part][1:] = [entry]
        (files / "acme.json").write_text(json.dumps(whole))
        assert message in refusal()


class TestFolder:
    @pytest.mark.parametrize(
        "url",
        [
            None,
            "",
            "acme.json",
            "/etc/passwd",
            "http://cloud/acme.json",
            "file:acme.json",
            "file:///",
            "file:///.",
            "file:///..",
            "file:///.acme.json",
            "file:///../secret.json",
            "file:////etc/passwd",
            "file:///a/../../secret.json",
            "file:///..%2fsecret.json",
            "file:///inventories/acme.json",
            "file://host/acme.json",
            "file:///acme.json?x",
            "file:///acme.json\n",
            "file:///acme.json\0.txt",
            "file:///" + "a" * 201,
        ],
    )
    def test_a_url_that_is_no_plain_name_is_not_looked_for(
        self, files: Path, url: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(folder.os, "open", lambda *arguments: pytest.fail("was opened"))
        assert refusal(url).startswith("The provider's URL must name an exported inventory")

    def test_a_file_that_is_not_there(self, files: Path) -> None:
        assert refusal() == "There is no file acme.json in the folder of inventories."

    def test_a_folder_that_is_not_there(self, files: Path) -> None:
        files.rmdir()
        assert refusal() == "There is no file acme.json in the folder of inventories."

    @pytest.mark.parametrize("target", ["../secret.json", "other.json"])
    def test_a_link_is_not_followed(self, files: Path, target: str) -> None:
        (files / "other.json").write_text('{"portcullis": 1}')
        (files / "acme.json").symlink_to(target)
        assert refusal() == "The file acme.json can't be read, or is a link or a folder."

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (Path.mkdir, "The file acme.json can't be read, or is a link or a folder."),
            (os.mkfifo, "acme.json is not a regular file."),
        ],
    )
    def test_what_is_no_file_is_not_read(self, files: Path, make: Any, message: str) -> None:
        make(files / "acme.json")
        assert refusal() == message

    def test_a_file_that_may_not_be_read(self, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def denied(*arguments: Any) -> int:
            raise PermissionError(13, "Permission denied", str(files / "acme.json"))

        monkeypatch.setattr(folder.os, "open", denied)
        assert refusal().startswith("The file acme.json can't be read")
        assert str(files) not in refusal()

    def test_a_file_has_a_bound(self, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(folder, "MAX_SIZE", 2**20)
        content = b'{"portcullis": 1}'
        (files / "acme.json").write_bytes(content + b" " * (2**20 - len(content)))
        assert read() == Inventory()
        (files / "acme.json").write_bytes(content + b" " * (2**20 - len(content) + 1))
        assert refusal() == "The file acme.json is larger than 1 MiB."


def test_a_url_that_names_no_file_is_told_without_credentials() -> None:
    with pytest.raises(CloudRefused, match=r"must name an exported inventory .*: cloud$"):
        FileDriver(Connection(url="https://AKIA:top-secret@cloud")).inventory()
