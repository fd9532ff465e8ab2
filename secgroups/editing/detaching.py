"""Removing a group from what uses it: ports that belong to no instance, and rules of other groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import Model
from django.utils import timezone

from inventory.drivers.exceptions import AlreadyThere, CloudRefused, GroupNotFound, RuleNotFound
from inventory.drivers.values import Group, Port, Rule
from inventory.messages import RIGHT_LOST
from inventory.models import NetworkPort
from inventory.reconcile import ids_of
from inventory.services import OwnersRights
from secgroups import messages
from secgroups.arguments import PortDetachment, RuleDetachment
from secgroups.editing.base import EditHandler
from secgroups.editing.matching import means_the_same
from secgroups.editing.rules import CreateRule, DeleteRule
from secgroups.exposures import settle_exposures
from secgroups.memberships import replace_memberships
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.plan import Change, Plan, plan
from secgroups.port_writer import LonePortWriter
from secgroups.public_ports import record_public_ports
from secgroups.retrying import any_fresh
from secgroups.rules import write_rules
from secgroups.services import MAY_CHANGE


class DetachPort(EditHandler[PortDetachment]):
    permission = MAY_CHANGE
    #: The port as it was last read; none if it is gone.
    ports: tuple[Port, ...] = ()
    read_on: datetime | None = None

    @property
    def subject(self) -> tuple[str, None]:
        return self.arguments.group.ems_ref, None

    def place(self) -> Model:
        row = NetworkPort.objects.filter(provider=self.provider, ems_ref=self.arguments.port).first()
        return row or self.provider

    def execute(self) -> None:
        writer = LonePortWriter.of(self.arguments.port, self.cloud)
        others = [group.ems_ref for group in self.arguments.substitutes.groups]
        writer.waits_for_group = partial(any_fresh, self.provider, *others)
        was_unsure = self.cloud.unsure
        if writer.read():
            planned = self._planned(writer.ports)
            writer.apply(planned, planned.undone(writer.ports))
        self.ports, self.read_on = writer.ports, writer.read_on
        self.request_id = writer.request_ids.get(self.arguments.port)
        self.changed = bool(writer.request_ids) or was_unsure
        if not self.changed:
            self.message = messages.nothing_to_do("remove", self.arguments.group.name, self._called)

    @property
    def _called(self) -> str:
        return messages.port_called(self.arguments.port)

    def _planned(self, ports: Iterable[Port]) -> Plan:
        """What to write. Raises `CloudRefused` if there is nothing that the port can have instead."""
        named, ports = self.arguments.substitutes.groups, tuple(ports)
        refs = {ref for port in ports for ref in port.group_refs} | {group.ems_ref or "" for group in named}
        refs.add(self.arguments.group.ems_ref)
        rows = SecurityGroup.objects.filter(provider=self.provider, ems_ref__in=refs).order_by("pk")
        groups = {group.ref: group for group in rows.as_values()}
        known = self.arguments.group
        group = groups.get(known.ems_ref) or Group(known.ems_ref, known.name)
        change = Change(
            self.task.pk,
            "remove",
            group,
            tuple(port.ref for port in ports if known.ems_ref in port.group_refs),
            whole=True,
            substitutes=tuple(groups[ref] for each in named if (ref := each.ems_ref or "") in groups),
            always=self.arguments.substitutes.always,
        )
        if not change.ports:
            return Plan()
        planned = plan(
            self._called,
            ports,
            [change],
            minimum=self.driver.minimum_groups_per_port,
            confined=bool(self.driver.groups_have_networks),
            stateless={ref for ref, each in groups.items() if not each.stateful},
        )
        outcome = planned.outcomes[change.id]
        if outcome.status == "Error":
            raise CloudRefused(outcome.message, general=outcome.message)
        self.status, self.message = type(self.status)(outcome.status), outcome.message
        return planned

    def record(self) -> dict[str, Any]:
        row = NetworkPort.objects.filter(provider=self.provider, ems_ref=self.arguments.port).first()
        if row and self.read_on:
            for port in self.ports:
                ids = ids_of(SecurityGroup, self.provider, port.group_refs)
                groups = [ids[ref] for ref in port.group_refs if ref in ids]
                replace_memberships({row.pk: groups}, read_on=self.read_on, stamp=True)
                record_public_ports([row.pk])
            settle_exposures(self.provider.pk, own=True)
        return {}

    def effect(self) -> dict[str, Any]:
        return {}


class DetachRules(EditHandler[RuleDetachment]):
    """Afterwards the group has a twin of each rule that named the other group. It can be repeated at any point."""

    permission = DeleteRule.permission
    as_of: datetime

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._rules: dict[str, Rule] = {}

    @property
    def subject(self) -> tuple[str, None]:
        return self.arguments.group.ems_ref, None

    def ensure_permitted(self) -> None:
        if self.arguments.deletes:
            super().ensure_permitted()
        if self.arguments.substitute and not OwnersRights().allow(self.task, CreateRule.permission, self.place()):
            raise CloudRefused(RIGHT_LOST, general=RIGHT_LOST)

    def execute(self) -> None:
        group, source, other = self.arguments.group, self.arguments.source, self.arguments.substitute
        refs = [group.ems_ref, source.ems_ref, *([other.ems_ref] if other else [])]
        self.cloud.waits_for_group = partial(any_fresh, self.provider, *refs)
        self.changed = self.cloud.unsure
        self._rules = {rule.ref: rule for rule in self.cloud.ask(lambda: self.driver.rules_of(group.ems_ref))}
        naming = [rule for rule in self._rules.values() if rule.source_group_ref == source.ems_ref]
        if other:
            for rule in naming:
                self._create(replace(rule, ref="", source_group_ref=other.ems_ref))
        if self.arguments.deletes:
            for rule in naming:
                self._delete(rule)
        self.as_of = timezone.now()
        if not self.changed:
            self.message = messages.is_noop(self.arguments.subject, messages.NOT_NEEDED)

    def _create(self, rule: Rule) -> None:
        if any(means_the_same(existing, rule) for existing in self._rules.values()):
            return
        try:
            created, self.request_id = self.cloud.repeat(lambda: self.driver.create_rule(rule))
        except AlreadyThere:
            rules = self.cloud.ask(lambda: self.driver.rules_of(rule.group_ref))
            self._rules |= {each.ref: each for each in rules}
        else:
            self._rules[created.ref] = created
            self.changed = True

    def _delete(self, rule: Rule) -> None:
        try:
            self.request_id = self.cloud.repeat(lambda: self.driver.delete_rule(rule))
            self.changed = True
        except (RuleNotFound, GroupNotFound):
            pass  # there is nothing left to delete
        self._rules.pop(rule.ref, None)

    def record(self) -> dict[str, Any]:
        """Record the rules that name either group: an earlier worker may have written some of them."""
        if group := self.group():
            named = {each.ems_ref for each in (self.arguments.source, self.arguments.substitute) if each}
            there = [rule for rule in self._rules.values() if rule.source_group_ref in named]
            rows = FirewallRule.objects.filter(security_group=group, source_security_group__ems_ref__in=named)
            gone = {*rows.values_list("ems_ref", flat=True)} - self._rules.keys()
            write_rules(group, there, gone=gone, as_of=self.as_of)
        return {}

    def effect(self) -> dict[str, Any]:
        return {}
