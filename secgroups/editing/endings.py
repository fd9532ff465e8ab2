"""Rules that end: what is written before they are created and once they are, and taking them back."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from django.db import transaction
from django.utils import timezone

from inventory.db.clock import database_now
from inventory.drivers.exceptions import CloudError, GroupNotFound, RuleNotFound
from inventory.drivers.values import Direction, Rule
from inventory.models import Task
from inventory.services import cause_of_task, note
from secgroups import messages
from secgroups.arguments import EditNotes, Ending, NewRule, RuleCreation, RuleEnding
from secgroups.editing.base import EditHandler
from secgroups.editing.matching import means_the_same
from secgroups.expirations import claim, end, extend, named, record
from secgroups.models import Expiration, FirewallRule
from secgroups.rules import write_rules


def note_temporary(edit: EditHandler[RuleCreation], ending: Ending, *, existed: bool) -> None:
    """Write down before the first attempt whether there is such a rule, and otherwise that it ends.

    Raises `CloudError` if its time is over.
    """
    if ending.expires_on <= database_now():
        raise CloudError(messages.TIME_OVER)
    note([edit.task], EditNotes(existed=existed))
    edit.cloud.lease.ensure()
    group = edit.group()
    with transaction.atomic():
        edit.task.save(update_fields=["arguments"])
        if group and not existed:
            Expiration.objects.create(
                provider=edit.provider,
                security_group=group,
                expires_on=ending.expires_on,
                due_on=ending.expires_on,
                reason=ending.reason,
                userid=edit.task.userid,
                task=edit.task,
                noted=msgspec.to_builtins(edit.arguments.rule),
            )


def settle(task: Task, row: FirewallRule | None, ending: Ending | None, *, is_new: bool) -> str:
    """What becomes of the end of a rule that a task has created, or has found. Returns what to say of it.

    Call it in the transaction in which the task ends.
    """
    cause = cause_of_task(task)
    own = Expiration.objects.filter(task=task, firewall_rule=None).first() if ending else None
    old = Expiration.objects.select_for_update().filter(firewall_rule=row).first() if row else None
    for left in _left(task, row) if row else ():
        if old or is_new:
            left.delete()
        else:  # that task created it after all
            left.firewall_rule, left.noted = row, None
            left.save(update_fields=["firewall_rule", "noted"])
            old = left
    if own and is_new and row and old is None:
        own.firewall_rule, own.noted = row, None
        own.save(update_fields=["firewall_rule", "noted"])
        record("expiration_created", named(Expiration.objects.filter(pk=own.pk)), cause)
        return messages.taken_back_at(own.expires_on)
    if own and row:
        own.delete()
    if old is None:
        return messages.STAYS if ending and not is_new else ""
    if ending is None:
        end("expiration_kept", [old.pk], cause)
        return messages.NO_LONGER_TEMPORARY
    if old.expires_on > ending.expires_on:
        return messages.ends_later(old.expires_on)
    if old.expires_on < ending.expires_on:
        extend(old, ending.expires_on, cause, ending.reason)
    return messages.extended_to(ending.expires_on)


def _left(task: Task, row: FirewallRule) -> list[Expiration]:
    """What other tasks have noted of such a rule that ended without telling what they did."""
    rows = Expiration.objects.filter(security_group=row.security_group_id, firewall_rule=None, noted__isnull=False)
    [rule] = FirewallRule.objects.filter(pk=row.pk).as_values()
    return [
        left
        for left in rows.exclude(task=task).select_for_update().order_by("pk")
        if left.is_of_rule and means_the_same(rule, msgspec.convert(left.noted, NewRule).as_value())
    ]


def abandon(task: Task) -> None:
    """A task ends that has created no rule for sure."""
    Expiration.objects.filter(task=task, firewall_rule=None, noted__isnull=False).delete()


class EndRule(EditHandler[RuleEnding]):
    """Deletes the rule of an expiration whose time is over. It asks nobody for rights: they were for no longer."""

    permission = "secgroups.delete_firewallrule"
    rule: Rule | None = None

    def ensure_permitted(self) -> None:
        pass

    @property
    def subject(self) -> tuple[str, str]:
        return self.arguments.group_ref, self.rule.ref if self.rule else ""

    def execute(self) -> None:
        claimed = claim(self.arguments.expiration, self.task)
        self._claimed = claimed
        self.changed = False
        if isinstance(claimed, str):
            self.message = claimed
            return
        self.rule = self._found(claimed)
        if self.rule is None:
            self.message = messages.ALREADY_ENDED
            return
        self.changed = True
        rule = self.rule
        try:
            self.request_id = self.cloud.repeat(lambda: self.driver.delete_rule(rule))
            self.message += messages.TAKEN_BACK
        except (RuleNotFound, GroupNotFound) as error:
            self.is_gone(error, rule.group_ref)

    def _found(self, expiration: Expiration) -> Rule | None:
        """The rule at the cloud. One that was not recorded is known by what it lets through."""
        ref = self.arguments.group_ref
        if row := expiration.firewall_rule:
            return Rule(row.ems_ref, ref, cast(Direction, row.direction))
        wanted = msgspec.convert(expiration.noted, NewRule).as_value()
        try:
            rules = self.cloud.ask(lambda: self.driver.rules_of(ref))
        except GroupNotFound:
            return None
        return next((rule for rule in rules if means_the_same(rule, wanted)), None)

    def record(self) -> dict[str, Any]:
        if isinstance(self._claimed, str):
            return {}
        end("expiration_ended", [self._claimed.pk], cause_of_task(self.task))
        if self.rule and (group := self.group()):
            write_rules(group, gone=[self.rule.ref], as_of=timezone.now())
        return {}

    def effect(self) -> dict[str, Any]:
        is_known = FirewallRule.objects.filter(provider=self.provider, ems_ref=self.subject[1]).exists()
        return super().effect() if is_known else {}
