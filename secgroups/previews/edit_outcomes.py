"""The outcomes of edits of groups and rules, as their tasks would find them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from msgspec import UNSET

from inventory.drivers.exceptions import AlreadyThere, CloudError, CloudRefused, GroupNotFound, InUse
from inventory.drivers.messages import NO_SUCH_GROUP, in_use
from inventory.drivers.values import Rule
from inventory.encryption import UnreadableSecret
from inventory.messages import provider_disabled
from secgroups import messages as texts
from secgroups.analysis.group_use import DEFAULT
from secgroups.arguments import (
    EditArguments,
    GroupCreation,
    GroupDeletion,
    GroupEdit,
    GroupRestoration,
    RuleCreation,
    RuleDeletion,
)
from secgroups.editing.matching import means_the_same
from secgroups.previews import messages
from secgroups.previews.asking import driver_class_of, is_unanswered, shown
from secgroups.previews.sites import Site, Users
from secgroups.previews.values import Status, Warned
from secgroups.reverting import found_changed
from secgroups.reverting import messages as reverting
from secgroups.traffic.addresses import FAMILIES


@dataclass(frozen=True, slots=True)
class EditOutcome:
    """What an edit's task would end with."""

    status: Status
    message: str
    #: Whether it would change something at the cloud.
    changes: bool = False
    #: The rule that it would create, as the cloud stores it.
    new_rule: Rule | None = None
    warnings: tuple[Warned, ...] = ()


def foresee(arguments: EditArguments, site: Site, user: Any) -> EditOutcome:
    """The outcome of one edit, after those that were foreseen before."""
    try:
        if not site.provider.enabled:
            raise CloudError(provider_disabled(site.provider.name))
        if site.failure:
            raise site.failure
        return _foreseen(arguments, site)
    except UnreadableSecret as error:
        site.failure = error
        return EditOutcome("Error", str(error))
    except Exception as error:
        reason = shown(error, site.provider, user)
        message = texts.cannot(arguments.verb, arguments.subject, reason)
        if not is_unanswered(error):
            return EditOutcome("Error", message)
        site.failure = error
        return EditOutcome("Error", message, warnings=(Warned("unknown", messages.NO_ANSWER),))


def _foreseen(arguments: EditArguments, site: Site) -> EditOutcome:
    """Raises `CloudError` if the cloud would refuse it."""
    match arguments:
        case RuleCreation():
            return _rule_creation(arguments, site)
        case RuleDeletion():
            return _rule_deletion(arguments, site)
        case GroupCreation():
            return _group_creation(arguments, site)
        case GroupDeletion():
            return _group_deletion(arguments, site)
        case GroupEdit():
            return _group_edit(arguments, site)
    raise TypeError(arguments)


def _done(arguments: EditArguments, **details: Any) -> EditOutcome:
    done = texts.done(arguments.verb, arguments.subject)
    message = reverting.restored(done) if isinstance(arguments, GroupRestoration) else done
    return EditOutcome("Ok", message, changes=True, **details)


def _noop(arguments: EditArguments, state: str) -> EditOutcome:
    if arguments.reverts is not UNSET:
        what = reverting.is_noop(arguments.subject, state)
        raise CloudError(found_changed(arguments.reverts, [what], timezone.now()))
    return EditOutcome("Ok", texts.is_noop(arguments.subject, state))


def _rule_creation(arguments: RuleCreation, site: Site) -> EditOutcome:
    requested = arguments.rule.as_value()
    stored = driver_class_of(site.provider).stored_rule(requested)
    group = requested.group_ref
    if not site.has(group):
        raise GroupNotFound(NO_SUCH_GROUP)
    rules = site.rules(group)
    if any(means_the_same(existing, requested) for existing in rules):
        return _noop(arguments, texts.ALREADY_EXISTS)
    rules.append(stored)
    return _done(arguments, new_rule=stored, warnings=_about_number(rules, stored, site))


def _about_number(rules: list[Rule], new: Rule, site: Site) -> tuple[Warned, ...]:
    """Warn of too many rules of one direction and family. A rule without a family counts for both."""
    most = driver_class_of(site.provider).rules_per_group
    if most is None:
        return ()
    sizes = site.sizes_of_lists(rules)
    numbers = (
        sum(
            sizes.get(rule.address_list_ref or "", 1)
            for rule in rules
            if rule.direction == new.direction and rule.network_protocol in (None, family)
        )
        for family in ([new.network_protocol] if new.network_protocol else FAMILIES)
    )
    return (Warned("limit", messages.too_many_rules(most)),) if max(numbers) > most else ()


def _rule_deletion(arguments: RuleDeletion, site: Site) -> EditOutcome:
    rules, ref = site.rules(arguments.rule.group_ref), arguments.rule.ref
    remaining = [rule for rule in rules if rule.ref != ref]
    if len(remaining) == len(rules):
        return _noop(arguments, texts.ALREADY_GONE)
    rules[:] = remaining
    return _done(arguments)


def _group_creation(arguments: GroupCreation, site: Site) -> EditOutcome:
    group = arguments.group.as_value()
    name_taken = driver_class_of(site.provider).name_taken
    if name_taken:
        group = site.placed(group)
        if site.has_namesake(group):
            raise AlreadyThere(name_taken)
        site.create(group)
    warned = [] if isinstance(arguments, GroupRestoration) else [Warned("unknown", messages.USUAL_RULES)]
    if name_taken and not group.network_ref:
        warned.append(Warned("unknown", messages.PLACE_NOT_KNOWN))
    return _done(arguments, warnings=tuple(warned))


def _group_edit(arguments: GroupEdit, site: Site) -> EditOutcome:
    ref = arguments.group.ems_ref
    if not site.has(ref):
        raise GroupNotFound(NO_SUCH_GROUP)
    refusal = driver_class_of(site.provider).default_keeps_name
    if refusal and arguments.group.name == DEFAULT and arguments.attributes.name is not None:
        raise CloudRefused(refusal, general=refusal)
    return _done(arguments)


def _group_deletion(arguments: GroupDeletion, site: Site) -> EditOutcome:
    ref, driver = arguments.group.ems_ref, driver_class_of(site.provider)
    if not site.has(ref):
        return _noop(arguments, texts.ALREADY_GONE)
    if driver.default_is_kept and arguments.group.name == DEFAULT:
        raise CloudRefused(driver.default_is_kept, general=driver.default_is_kept)
    ports = site.ports(ref)
    # Python 3.11 can't make an instance of `Users[str]` itself, which has slots and is frozen.
    nobody: Users[str] = Users()
    referrers = nobody if driver.rules_end_with_their_source else site.referrers(ref)
    if ports.exist or referrers.exist:
        hidden = messages.HIDDEN_USERS if ports.has_hidden or referrers.has_hidden else ""
        raise InUse(in_use(f"{driver.users(ports.visible, referrers.visible)} {hidden}".strip()))
    site.delete(ref)
    return _done(arguments)
