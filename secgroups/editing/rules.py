"""Creating and deleting a rule of a group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from ipaddress import ip_network
from typing import Any, TypeVar

from django.utils import timezone

from inventory.drivers.exceptions import AlreadyThere, GroupNotFound, RuleNotFound
from inventory.drivers.protocols import WITH_PORTS
from inventory.drivers.values import Rule
from secgroups import messages
from secgroups.arguments import RuleCreation, RuleDeletion
from secgroups.editing.base import EditHandler
from secgroups.models import FirewallRule
from secgroups.retrying import any_fresh
from secgroups.reverting import messages as reverting
from secgroups.rules import write_rules

AnyRule = TypeVar("AnyRule", RuleCreation, RuleDeletion)

#: The ways to write all ports: EC2 requires and shows a range, Neutron stores none for it.
ALL_PORTS = frozenset({(None, None), (0, 65535), (1, 65535)})


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
        try:
            self.there, self.request_id = self.cloud.repeat(lambda: self.driver.create_rule(rule))
            self.seen = (self.there,)
        except AlreadyThere as error:
            self.mark_noop(error, messages.ALREADY_EXISTS)
            self.seen = self.cloud.ask(lambda: self.driver.rules_of(rule.group_ref))
            self.there = next((existing for existing in self.seen if means_the_same(existing, rule)), None)
        self.as_of = timezone.now()

    def record(self) -> dict[str, Any]:
        if group := self.group():
            write_rules(group, self.seen, as_of=self.as_of)
        ref = self.there and self.there.ref
        row = FirewallRule.objects.filter(provider=self.provider, ems_ref=ref or "").first()
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


def means_the_same(existing: Rule, requested: Rule) -> bool:
    """Whether a rule of the cloud is equal to the requested one, whatever their spelling."""
    family = requested.network_protocol or _family(requested)
    # EC2's rules for a group or a prefix list have no family, and apply to both.
    return existing.network_protocol in {None, family} and _reach(existing, family) == _reach(requested, family)


def _family(rule: Rule) -> str:
    """The family of a rule without one: from its range, else Neutron's default."""
    with suppress(ValueError):
        return f"IPV{ip_network(rule.source_ip_range or '', strict=False).version}"
    return "IPV6" if rule.host_protocol == "icmpv6" else "IPV4"


def _reach(rule: Rule, family: str) -> tuple[object, ...]:
    protocol = rule.host_protocol
    if protocol == "icmp" and family == "IPV6":
        protocol = "icmpv6"  # as Neutron stores it
    return rule.direction, protocol, _ports(rule), rule.source_group_ref or _range(rule.source_ip_range)


def _ports(rule: Rule) -> object:
    """The range of ports, None for all. For ICMP, the type and the code."""
    if rule.host_protocol not in WITH_PORTS:
        return rule.port, rule.end_port
    ports = rule.port, rule.port if rule.end_port is None else rule.end_port
    return None if ports in ALL_PORTS else ports


def _range(ip_range: str | None) -> str | None:
    """A CIDR in its canonical form: `10.0.0.5/8` is `10.0.0.0/8`."""
    with suppress(ValueError):
        return str(ip_network(ip_range or "", strict=False))
    return ip_range  # the cloud's own name
