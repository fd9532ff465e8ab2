"""What follows the messages of changes that end, or that find something that ends, as their tasks would say it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cached_property

from msgspec import UNSET

from inventory.models import Provider, Vm
from secgroups import messages
from secgroups.arguments import Ending, MembershipChange, RuleCreation
from secgroups.editing.matching import means_the_same
from secgroups.models import Expiration, FirewallRule, TemporaryMembership
from secgroups.plan import Outcome
from secgroups.previews.edit_outcomes import EditOutcome


class Ends:
    """The ends of the memberships of an instance, read when they are needed."""

    def __init__(self, vm: Vm) -> None:
        self._vm = vm

    @cached_property
    def _ends(self) -> dict[tuple[str, str], datetime]:
        rows = TemporaryMembership.objects.filter(network_port__vm=self._vm)
        columns = ("network_port__ems_ref", "security_group__ems_ref", "expiration__expires_on")
        return {(port, group): end for port, group, end in rows.values_list(*columns)}

    def remark(self, change: MembershipChange, group: str, outcome: Outcome) -> str:
        if outcome.status == "Error":
            return ""
        if change.expiration is not UNSET:
            return messages.TAKEN_BACK if outcome.written else ""
        if change.action == "remove":
            return ""
        if change.ending is not UNSET and outcome.written:
            return messages.taken_back_at(change.ending.expires_on)
        ends = [
            end
            for (port, ref), end in self._ends.items()
            if ref == group and (port in change.ports or not change.ports)
        ]
        return _remark(change.ending, ends)


def remark_of_rule(provider: Provider, arguments: object, outcome: EditOutcome) -> str:
    """The same for the creation of a rule."""
    if not isinstance(arguments, RuleCreation) or outcome.status == "Error":
        return ""
    if outcome.changes:
        return "" if arguments.ending is UNSET else messages.taken_back_at(arguments.ending.expires_on)
    rows = FirewallRule.objects.filter(provider=provider, security_group__ems_ref=arguments.rule.group_ref)
    rule = arguments.rule.as_value()
    same = (value.ref for value in rows.as_values() if means_the_same(value, rule))
    ends = Expiration.objects.filter(firewall_rule__provider=provider, firewall_rule__ems_ref__in=[*same])
    return _remark(arguments.ending, ends.values_list("expires_on", flat=True))


def _remark(ending: Ending | object, ends: Iterable[datetime]) -> str:
    """What is said where there is nothing to do, and what is there ends at these times."""
    known: Collection[datetime] = list(ends)
    if not isinstance(ending, Ending):
        return messages.NO_LONGER_TEMPORARY if known else ""
    if not known:
        return messages.STAYS
    latest = max(known)
    return messages.ends_later(latest) if latest > ending.expires_on else messages.extended_to(ending.expires_on)
