"""Making and deleting a rule of a group."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.utils import timezone

from inventory.drivers.failures import AlreadyThere, GroupNotFound, RuleNotFound
from inventory.drivers.values import Rule
from secgroups.asking import any_fresh
from secgroups.editing.base import Carrying
from secgroups.models import FirewallRule, SecurityGroup
from secgroups.rules import write_rules

#: The two ways to say it: EC2 wants a range for TCP and UDP, and shows it from then on.
ALL_PORTS = {(None, None), (0, 65535)}


class RuleEdit(Carrying):
    """`rule` is what was asked for. A cloud does neither edit of a rule twice, so both are simply repeated."""

    as_of: datetime

    @property
    def rule(self) -> Rule:
        return Rule(**{"ref": "", **self.task.arguments["rule"]})

    def group(self) -> SecurityGroup | None:
        row: SecurityGroup | None = SecurityGroup.objects.filter(
            provider=self.provider, ems_ref=self.rule.group_ref
        ).first()
        return row


class CreateRule(RuleEdit):
    #: What the group certainly has: the new rule, or all of them where the cloud says that it is among these.
    seen: tuple[Rule, ...] = ()

    def carry_out(self) -> None:
        rule = self.rule
        self.cloud.waits_for_group = partial(any_fresh, self.provider, rule.group_ref, rule.source_group_ref)
        try:
            made, self.request_id = self.cloud.repeat(lambda: self.driver.create_rule(rule))
            self.seen = (made,)
        except AlreadyThere as error:
            self.nothing_to_do(error, f"{self.task.arguments['subject']} is there")
            self.seen = self.cloud.ask(lambda: self.driver.rules_of(rule.group_ref))
        self.as_of = timezone.now()

    def record(self) -> dict[str, Any]:
        if group := self.group():
            write_rules(group, self.seen, as_of=self.as_of)
        ref = next(
            (rule.ref for rule in self.seen if len(self.seen) == 1 or _reach(rule) == _reach(self.rule)), None
        )
        row = FirewallRule.objects.filter(provider=self.provider, ems_ref=ref or "").first()
        known = {"id": row and str(row.pk), "ems_ref": ref}
        return {"firewall_rule": self.task.context_data["firewall_rule"] | known}


class DeleteRule(RuleEdit):
    def carry_out(self) -> None:
        rule = self.rule
        self.cloud.waits_for_group = partial(any_fresh, self.provider, rule.group_ref)
        try:
            self.request_id = self.cloud.repeat(lambda: self.driver.delete_rule(rule))
        except (RuleNotFound, GroupNotFound) as error:
            self.nothing_to_do(error, f"{self.task.arguments['subject']} is gone")
        self.as_of = timezone.now()

    def record(self) -> dict[str, Any]:
        if group := self.group():
            write_rules(group, gone=[self.rule.ref], as_of=self.as_of)
        return {}


def _reach(rule: Rule) -> tuple[object, ...]:
    """What a rule lets through, whatever it is called."""
    source = rule.source_group_ref or rule.source_ip_range
    ports = (rule.port, rule.end_port)
    return rule.direction, rule.host_protocol, None if ports in ALL_PORTS else ports, source
