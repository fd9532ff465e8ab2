"""The groups and rules of the cloud in memory: what a driver does to make, edit and delete them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from inventory.drivers.base import Driver
from inventory.drivers.exceptions import AlreadyThere, GroupNotFound, InUse, RuleNotFound
from inventory.drivers.values import Group, Port, Rule
from secgroups.models import FirewallRule

#: Where a group is made if nobody says it.
DEFAULT = "vpc-production"


class GroupsInMemory(Driver):
    """Half of `tests.clouds.MemoryCloud`: a group is in a network, where its name is unique."""

    group_list: list[Group]
    rule_list: list[Rule]
    port_list: list[Port]

    groups_have_networks = True
    rules_of_new_groups = (Rule("", "", "outbound", "IPV4", source_ip_range="0.0.0.0/0"),)
    #: Whether a network has a name once, as on EC2 and not on OpenStack.
    unique_names = True

    def _answer(self, name: str, arguments: Any, call: Callable[[], Any]) -> Any:
        raise NotImplementedError

    @property
    def numbers(self) -> Any:
        """Of what is made, and of requests."""
        if not hasattr(self, "_numbers"):
            self._numbers = count(1)
        return self._numbers

    def request_id(self) -> str:
        return f"req-{next(self.numbers)}"

    def placed(self, group: Group) -> Group:
        return self._answer(
            "placed",
            group,
            lambda: replace(group, network_ref=group.network_ref or DEFAULT, tenant_ref="t-account"),
        )

    def namesakes(self, group: Group) -> tuple[Group, ...]:
        return self._answer("namesakes", group.name, lambda: self._namesakes(group))

    def create_group(self, group: Group) -> tuple[Group, str | None]:
        return self._answer("create_group", group.name, lambda: self._create_group(group))

    def edit_group(self, ref: str, name: str | None, description: str | None) -> tuple[Group, str | None]:
        return self._answer(
            "edit_group", (ref, name, description), lambda: self._edit_group(ref, name, description)
        )

    def delete_group(self, ref: str) -> str | None:
        return self._answer("delete_group", ref, lambda: self._delete_group(ref))

    def rules_of(self, group_ref: str) -> tuple[Rule, ...]:
        return self._answer(
            "rules_of", group_ref, lambda: tuple(rule for rule in self.rule_list if rule.group_ref == group_ref)
        )

    def create_rule(self, rule: Rule) -> tuple[Rule, str | None]:
        return self._answer("create_rule", rule, lambda: self._create_rule(rule))

    def delete_rule(self, rule: Rule) -> str | None:
        return self._answer("delete_rule", rule.ref, lambda: self._delete_rule(rule))

    def _namesakes(self, group: Group) -> tuple[Group, ...]:
        where = group.name, group.network_ref
        return tuple(one for one in self.group_list if (one.name, one.network_ref) == where)

    def _create_group(self, group: Group) -> tuple[Group, str]:
        if self.unique_names and self._namesakes(group):
            raise AlreadyThere(f"There is a group {group.name}.")
        made = replace(group, ref=f"sg-made-{next(self.numbers)}")
        self.group_list.append(made)
        self.rule_list.append(Rule(f"r-of-{made.ref}", made.ref, "outbound", "IPV4", source_ip_range="0.0.0.0/0"))
        return made, self.request_id()

    def _edit_group(self, ref: str, name: str | None, description: str | None) -> tuple[Group, str]:
        group = self._group(ref)
        description = group.description if description is None else description or None
        edited = replace(group, name=name or group.name, description=description)
        self.group_list[self.group_list.index(group)] = edited
        return edited, self.request_id()

    def _delete_group(self, ref: str) -> str:
        group = self._group(ref)
        is_named = any(rule.source_group_ref == ref != rule.group_ref for rule in self.rule_list)
        if is_named or any(ref in port.group_refs for port in self.port_list):
            raise InUse("The security group is in use.")
        self.group_list.remove(group)
        self.rule_list = [rule for rule in self.rule_list if rule.group_ref != ref]
        return self.request_id()

    def _create_rule(self, rule: Rule) -> tuple[Rule, str]:
        self._group(rule.group_ref)
        if any(replace(one, ref="", description=rule.description) == rule for one in self.rule_list):
            raise AlreadyThere("There is such a rule.")
        made = replace(rule, ref=f"r-made-{next(self.numbers)}")
        self.rule_list.append(made)
        return made, self.request_id()

    def _delete_rule(self, rule: Rule) -> str:
        self._group(rule.group_ref)
        found = [one for one in self.rule_list if one.ref == rule.ref]
        if not found:
            raise RuleNotFound("There is no such rule.")
        self.rule_list.remove(found[0])
        return self.request_id()

    def _group(self, ref: str) -> Group:
        found = next((group for group in self.group_list if group.ref == ref), None)
        if found is None:
            raise GroupNotFound(f"There is no group {ref}.")
        return found


def rule_of(row: FirewallRule) -> Rule:
    """The rule of which this is the row."""
    source = row.source_security_group
    return Rule(
        row.ems_ref,
        row.security_group.ems_ref,
        row.direction,
        row.network_protocol,
        row.host_protocol,
        row.port,
        row.end_port,
        row.source_ip_range,
        source and source.ems_ref,
        row.description,
        row.source_address_list and row.source_address_list.ems_ref,
    )
