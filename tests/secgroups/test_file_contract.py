"""The contract of drivers, as far as one that can only read goes: on a file that is written as a cloud changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inventory.drivers.file.document import PARTS, dumped
from inventory.drivers.values import AddressList, Group, Instance, Network, Port, Rule, Tenant
from tests import cast as actors
from tests.cast import FILE
from tests.clouds import MemoryCloud
from tests.contracts.drivers import DriverContract, Site


class FileSite(Site):
    """A cloud in memory, and a file with what is in it."""

    owner = "compute:nova"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "site.json"
        self.cloud = MemoryCloud()
        self.cloud.tenant_list = [Tenant("t-1", "tenant")]
        self.cloud.network_list = [Network("n-1", "network", tenant_ref="t-1")]
        self.provider = actors.provider("file", vendor=FILE, url="file:///site.json")

    def export(self) -> None:
        read = self.cloud.inventory()
        self.path.write_bytes(b"".join(dumped({part: getattr(read, part) for part in PARTS})))

    def group(self, name: str) -> str:
        self.cloud.group_list.append(Group(f"sg-{name}", name, tenant_ref="t-1", network_ref="n-1"))
        self.cloud.rule_list.append(Rule(f"r-{name}", f"sg-{name}", "outbound", source_ip_range="0.0.0.0/0"))
        self.export()
        return f"sg-{name}"

    def foreign_group(self, name: str) -> str:
        raise NotImplementedError  # no case that can be here needs one

    def address_list(self, name: str, *entries: str) -> str:
        self.cloud.address_lists.append(AddressList(f"pl-{name}", name, "t-1", entries=entries))
        self.export()
        return f"pl-{name}"

    def let_in_from(self, group: str, address_list: str) -> None:
        ref = f"r-{group}-{address_list}"
        self.cloud.rule_list.append(
            Rule(ref, group, "inbound", None, "tcp", source_ip_range=address_list, address_list_ref=address_list)
        )
        self.export()

    def deny_address_lists(self) -> None:
        raise NotImplementedError

    def instance(self, *groups: str, ports: int = 1) -> str:
        ref = f"i-{len(self.cloud.instance_list)}"
        self.cloud.instance_list.append(Instance(ref, ref, "on", "ACTIVE", "t-1"))
        self.cloud.port_list += [
            Port(f"p-{ref}-{number}", None, ref, "t-1", "n-1", group_refs=groups, device_owner=self.owner)
            for number in range(ports)
        ]
        self.export()
        return ref

    def ports(self, instance: str) -> list[str]:
        return list(self.cloud.groups_of(instance))

    def groups_of(self, port: str) -> set[str]:
        return set(self.cloud.port(port).group_refs)

    def set_groups(self, port: str, *groups: str) -> None:
        self.cloud.set_port(port, group_refs=groups)
        self.export()

    def end(self, instance: str) -> None:
        self.cloud.terminate(instance)
        self.export()

    def publish(self, port: str) -> str:
        self.cloud.set_port(port, public_ip_addresses=("198.51.100.1",))
        self.export()
        return "198.51.100.1"

    def withdraw(self, port: str) -> None:
        self.cloud.set_port(port, public_ip_addresses=(), ip_addresses=())
        self.export()

    def peered(self) -> tuple[str, str]:
        self.cloud.network_list.append(Network("n-2", "another", tenant_ref="t-1", peer_refs=("n-1",)))
        self.export()
        return "n-1", "n-2"

    def let_in(self, group: str) -> None:
        self.cloud.rule_list.append(Rule(f"r-for-{group}", group, "inbound", "IPV4", "tcp", 443, 443, None, group))
        self.export()

    def delete(self, group: str) -> None:
        self.cloud.drop_group(group)
        self.export()

    def throttle(self) -> None:
        raise NotImplementedError

    def deny_deletion(self) -> None:
        raise NotImplementedError


class TestFile(DriverContract):
    can_edit_groups = False

    @pytest.fixture
    def site(self, tmp_path: Path, settings: Any) -> Site:
        settings.INVENTORY_FILES = tmp_path
        return FileSite(tmp_path)

    # A file takes no change: each is refused before it is queued, `tests/secgroups/api/test_read_only.py`.
    test_a_group_is_added_to_and_removed_from_every_port = None
    test_a_change_can_be_narrowed_to_some_ports = None
    test_many_changes_are_one_write_of_each_port = None
    test_what_is_so_already_is_not_written = None
    test_a_change_by_others_before_the_reading_is_kept = None
    test_a_change_by_others_between_reading_and_writing_is_kept = None
    test_a_name_is_that_of_the_instances_own_place = None
    test_an_unknown_group_is_named = None
    test_a_group_from_elsewhere_is_refused_before_anything_is_written = None
    test_the_last_group = None
    test_a_port_without_port_security_is_left_out = None
    test_stateful_and_stateless_groups_are_kept_apart = None
    test_a_limit_is_told_in_plain_words = None
    test_an_instance_that_is_gone = None
    test_of_many_those_that_can_be_done_are_done = None
    test_throttling_is_waited_for = None
    test_a_lost_answer_is_resolved_by_reading = None
    test_a_failure_of_the_cloud_is_tried_again = None
    test_groups_and_rules_are_made_and_deleted = None
    test_a_rule_that_is_asked_for_twice_at_once_is_shown_twice = None
    test_a_rule_for_a_list_of_addresses_is_made_once = None
    test_a_group_in_use_is_kept_and_says_what_has_it = None
    # Nobody refuses a part of a file.
    test_a_list_of_addresses_that_is_not_shown_stays_as_known = None
