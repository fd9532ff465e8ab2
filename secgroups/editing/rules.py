"""Creating and deleting a rule of a group."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from django.utils import timezone
from msgspec import UNSET

from inventory.drivers.exceptions import AlreadyThere, GroupNotFound, RuleNotFound
from inventory.drivers.values import Rule
from secgroups import messages
from secgroups.arguments import Ending, RuleCreation, RuleDeletion, edit_notes
from secgroups.editing import endings
from secgroups.editing.base import EditHandler
from secgroups.editing.matching import means_the_same
from secgroups.models import FirewallRule
from secgroups.retrying import any_fresh
from secgroups.reverting import messages as reverting
from secgroups.rules import write_rules

AnyRule = TypeVar("AnyRule", RuleCreation, RuleDeletion)


class RuleEdit(EditHandler[AnyRule]):
    """`rule` is the request. A cloud does neither edit of a rule twice, so both can be repeated."""

    as_of: datetime

    @property
    def rule(self) -> Rule:
        return self.arguments.rule.as_value()


class CreateRule(RuleEdit[RuleCreation]):
    permission = "secgroups.add_firewallrule"
    #: Rules that the group has: the new one, or all of them if the cloud says that it exists.
    seen: tuple[Rule, ...] = ()
    #: The rule among them, if known.
    there: Rule | None = None

    @property
    def subject(self) -> tuple[str, str]:
        return self.rule.group_ref, self.there.ref if self.there else ""

    def execute(self) -> None:
        rule = self.rule
        self.cloud.waits_for_group = partial(any_fresh, self.provider, rule.group_ref, rule.source_group_ref)
        if self.arguments.ending is not UNSET:
            self._begin(rule, self.arguments.ending)
        try:
            self.there, self.request_id = self.cloud.repeat(lambda: self.driver.create_rule(rule))
            self.seen = (self.there,)
        except AlreadyThere as error:
            self.mark_noop(error, messages.ALREADY_EXISTS)
            self.seen = self.cloud.ask(lambda: self.driver.rules_of(rule.group_ref))
            self.there = next((existing for existing in self.seen if means_the_same(existing, rule)), None)
        self.as_of = timezone.now()
        self._done = self.message

    def _begin(self, rule: Rule, ending: Ending) -> None:
        """Look whether there is such a rule, once: that one stays."""
        existed = edit_notes(self.task.arguments).existed
        if existed is None:
            try:
                rules = self.cloud.ask(lambda: self.driver.rules_of(rule.group_ref))
            except GroupNotFound:
                rules = ()  # the cloud may not show it yet
            existed = any(means_the_same(other, rule) for other in rules)
            endings.note_temporary(self, ending, existed=existed)
        if existed:
            self.cloud.unsure = False  # no attempt can have created it

    def record(self) -> dict[str, Any]:
        if group := self.group():
            write_rules(group, self.seen, as_of=self.as_of)
        ref = self.there and self.there.ref
        row = FirewallRule.objects.filter(provider=self.provider, ems_ref=ref or "").first()
        ending = None if self.arguments.ending is UNSET else self.arguments.ending
        self.message = self._done + endings.settle(self.task, row, ending, is_new=self.changed)
        identity = {"id": row and str(row.pk), "ems_ref": ref}
        return {"firewall_rule": self.task.context_data["firewall_rule"] | identity}


class DeleteRule(RuleEdit[RuleDeletion]):
    permission = "secgroups.delete_firewallrule"

    @property
    def subject(self) -> tuple[str, str]:
        return self.rule.group_ref, self.rule.ref

    def differences(self) -> Iterator[str]:
        """Whether the rule is another one by now. Some clouds can change a rule that keeps its id."""
        group, ref = self.rule.group_ref, self.rule.ref
        stored = FirewallRule.objects.filter(provider=self.provider, ems_ref=ref).as_values()
        known = next(iter(stored), None)
        for rule in self.cloud.ask(lambda: self.driver.rules_of(group)):
            is_same = known and means_the_same(rule, known) and rule.description == known.description
            if rule.ref == ref and not is_same:
                yield reverting.differs_at_cloud(self.arguments.subject)

    def execute(self) -> None:
        rule = self.rule
        self.cloud.waits_for_group = partial(any_fresh, self.provider, rule.group_ref)
        try:
            self.request_id = self.cloud.repeat(lambda: self.driver.delete_rule(rule))
        except (RuleNotFound, GroupNotFound) as error:
            self.is_gone(error, rule.group_ref)
        self.as_of = timezone.now()

    def record(self) -> dict[str, Any]:
        if group := self.group():
            write_rules(group, gone=[self.rule.ref], as_of=self.as_of)
        return {}
