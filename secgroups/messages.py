"""What people are told about security groups: by tasks, by refused requests, in the admin and by commands.

The words for each verb and every sentence are here, so that they can be read together. What a cloud says is in its
driver. A reason follows `Cannot add web to vm-1: `, so it begins in lower case.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from inventory.drivers.protocols import WITH_TYPES

Verb = Literal["add", "remove", "create", "edit", "delete", "revert", "replace"]
#: For each verb: in progress, and done.
WORDS: Mapping[Verb, tuple[str, str]] = {
    "add": ("Adding", "Added"),
    "remove": ("Removing", "Removed"),
    "create": ("Creating", "Created"),
    "edit": ("Editing", "Edited"),
    "delete": ("Deleting", "Deleted"),
    "revert": ("Reverting", "Reverted"),
    "replace": ("Replacing", "Replaced"),
}
#: How many things a message names at most.
NAMED = 5
#: How a verb or a direction leads to the other side.
PREPOSITIONS: Mapping[str, str] = {"add": "to", "remove": "from", "inbound": "from", "outbound": "to"}


#: The other side of a rule that the reader may not see.
OUTSIDE = "outside your grants"
#: The reason of an effective rule without rules.
NO_PORT_SECURITY = "port security is off"


# What a message is about


def group_called(name: str) -> str:
    return f"security group {name}"


def port_called(ref: str) -> str:
    return f"port {ref}"


def replacement(group: str, other: str) -> str:
    return f"{group_called(group)} with {other}"


def change_of(verb: Verb, group: str, instance: str) -> str:
    """`web to vm-1` or `web from vm-1`."""
    return f"{group} {PREPOSITIONS[verb]} {instance}"


def rule_called(
    group: str,
    direction: str,
    *,
    protocol: str | None,
    port: int | None,
    end_port: int | None,
    source: str | None,
) -> str:
    """A rule as `rule inbound tcp 80-81 from 10.0.0.0/8 of security group web`."""
    service = service_called(protocol or "any", port, end_port)
    return f"rule {direction} {service} {PREPOSITIONS[direction]} {source or 'any'} of {group_called(group)}"


def rule_of(ref: str | None, group: str) -> str:
    """`rule sgr-1 of security group web`."""
    return f"{f'rule {ref}' if ref else 'a rule'} of {group_called(group)}"


def service_called(protocol: str | None, port: int | None, end_port: int | None) -> str:
    """`any service`, `tcp`, `tcp 80-81` or `icmp type 3, code 1`."""
    name = protocol or "any service"
    return name if port is None else f"{name} {ports_called(protocol, port, end_port)}"


def ports_called(protocol: str | None, port: int | None, end_port: int | None) -> str:
    """`any`, `443` or `8000-8100`; of ICMP `type 8`, or with its code `type 3, code 1`."""
    if port is None:
        return "any"
    if protocol in WITH_TYPES:
        return f"type {port}" if end_port is None else f"type {port}, code {end_port}"
    return str(port) if end_port in {None, port} else f"{port}-{end_port}"


def protocol_called(protocol: str | None, family: str | None) -> str:
    return " ".join(filter(None, (protocol or "any", family)))


# Accepted, done and refused


def doing(verb: Verb, subject: str) -> str:
    return f"{WORDS[verb][0]} {subject}"


def done(verb: Verb, subject: str) -> str:
    return f"{WORDS[verb][1]} {subject}."


def cannot(verb: Verb, subject: str, reason: object) -> str:
    return f"Cannot {verb} {subject}: {reason}"


# Why a request is refused

NO_NAME = "no security group was named"
DIFFERENT_GROUPS = "id and href name different security groups"


def not_a_group(address: object) -> str:
    return f"{address} is not a security group"


def no_driver(provider: str, kind: str) -> str:
    return f"Portcullis has no driver for provider {provider} of type {kind}"


def read_only(provider: str, kind: str) -> str:
    return f"provider {provider} is read-only (type {kind})"


def several_groups(ids: Iterable[object]) -> str:
    return f"several security groups have this name. Choose one by its id: {', '.join(map(str, ids))}"


def other_names(name: str, ref: str) -> str:
    return f"the name of this security group is {name} and its ems_ref is {ref}"


def no_ports(instance: str, ports: Iterable[str]) -> str:
    return f"{instance} has no port {_list(ports)}"


def no_group_with_id(pk: int) -> str:
    return f"there is no security group with the id {pk}"


def other_provider(group: str, provider: str, instance: str, own: str) -> str:
    return f"{group} belongs to provider {provider}, but {instance} belongs to {own}"


def other_network(group: str, network: str, instance: str) -> str:
    return f"{group} belongs to network {network}, in which {instance} has no port"


def other_tenant(group: str, tenant: str, instance: str, own: str) -> str:
    return f"{group} belongs to tenant {tenant} and is not shared with tenant {own} of {instance}"


def unknown_place(kind: str, name: str) -> str:
    return f"the {kind} of {name} is unknown"


#: Instances of a change of many, in reasons that are the same for all of them, and one that was not named.
THE_INSTANCE, AN_INSTANCE = "the instance", "an instance"
DIFFERENT_INSTANCES = "the names belong to different instances"
BEYOND_GRANTS = "your grants do not permit this there"
NO_INSTANCE_NAMED = "no instance was named"
NO_INSTANCES = "No instance matches the filter."
NO_FILTER = "filter must be a list of conditions, beside the action and without names of instances."
ONLY_FROM_INVENTORY = "A change of many instances is only previewed from the inventory: dry_run must be true."


def instances(number: int) -> str:
    return "1 instance" if number == 1 else f"{number:,} instances"


def no_instance(label: object) -> str:
    return f"there is no instance {label}"


def too_many_matches(limit: int) -> str:
    return f"The filter matches more than {limit:,} instances, the most that can be changed at once."


def no_networks(provider: str) -> str:
    return f"security groups of {provider} don't belong to networks"


def no_group_edits(provider: str) -> str:
    return f"the cloud of {provider} can't edit security groups"


# Why a group in use can't be replaced or deleted

SAME_GROUP = "it can't take its own place"
OTHER_PROVIDER = "the other security group belongs to another provider"
USED_BEYOND = "ports or rules that you may not see use it"
NO_WITH = "with has to name the security group that takes its place"


def not_permitted_there(what: str, names: Collection[str]) -> str:
    """You may not change `what` (ports of, rules of) these, by name."""
    return f"you may not change the {what} {first_of(sorted(names)[:NAMED], max(0, len(names) - NAMED))}"


def not_all_at_once(failures: Collection[str]) -> str:
    """Why these ports can't be written, each a sentence."""
    shown = [*failures][:NAMED]
    more = len(failures) - len(shown)
    return " ".join([*shown, *([f"There are {more} more such instances."] if more else [])])


def using(ports: int, rules: int) -> str:
    """`3 ports and 1 rule`."""
    numbers = ((ports, "port"), (rules, "rule"))
    return " and ".join(f"{number:,} {what}{'s' if number > 1 else ''}" for number, what in numbers if number)


def detached(group: str, ports: int, rules: int) -> str:
    """`security group web, which 3 ports and 1 rule use`."""
    used = using(ports, rules)
    return f"{group_called(group)}, which {used} use" if used else group_called(group)


def removal(group: str, place: str, other: str | None) -> str:
    """`security group web from vm-1`, or `security group web with db of vm-1`."""
    return f"{replacement(group, other)} of {place}" if other else change_of("remove", group_called(group), place)


def rules_naming(group: str, source: str) -> str:
    return f"rules of {group_called(group)} that name {source}"


def twins_naming(group: str, source: str, other: str) -> str:
    return f"rules of {group_called(group)} that name {other} as others name {source}"


NO_CHANGES = "no changes were given"
SOURCE_OF_OTHER_PROVIDER = "the source group belongs to another provider"
SOURCE_OF_OTHER_TENANT = (
    "the source group belongs to another or an unknown tenant, and is not shared with this tenant"
)
LIST_OF_OTHER_PROVIDER = "the list of addresses belongs to another provider"
LIST_OF_OTHER_TENANT = (
    "the list of addresses belongs to another or an unknown tenant, and this tenant does not use it"
)


# What becomes of adding and removing groups

INSTANCE_GONE = "The instance is no longer in the inventory."
NOT_SHOWN = "The cloud accepted the change, but does not show it."
PORT_SECURITY_OFF = "has port security disabled"
#: Reasons that are the same for all instances.
NO_PORTS = "it has no port that can have security groups"
MANAGED_PORT = "a port is managed by a service of the cloud"


def no_fitting_port(obstacles: Iterable[str]) -> str:
    kinds = "; ".join(f"a port {why}" for why in dict.fromkeys(obstacles))
    return kinds or NO_PORTS


def needs_groups(minimum: int) -> str:
    return f"it is the last security group of a port, which must keep at least {minimum}"


def unknown_ports(instance: str, ports: Iterable[str]) -> str:
    return f"{instance} has no port {_list(ports)}. Nothing was changed."


def nothing_to_do(verb: Verb, group: str, instance: str) -> str:
    state = "already has" if verb == "add" else "does not have"
    return f"Nothing to do: {instance} {state} {group_called(group)}."


def changed(verb: Verb, group: str, instance: str, ports: int) -> str:
    where = f" on {ports} ports" if ports > 1 else ""
    return done(verb, change_of(verb, group_called(group), instance) + where)


def replaced(group: str, other: str, instance: str, ports: int) -> str:
    where = f" on {ports} ports" if ports > 1 else ""
    return done("replace", f"{replacement(group, other)} of {instance}{where}")


def substituted(ports: Mapping[str, Collection[str]]) -> str:
    """What follows a message if ports (refs) got another group (name) in place of their last one."""
    return "".join(f" Port {_list(refs)} has {group_called(other)} instead." for other, refs in ports.items())


def skipped(obstacles: Mapping[str, str]) -> str:
    """What follows a message for each port (ref) that was skipped, with the reason."""
    return "".join(f" Skipped port {ref}: it {why}." for ref, why in obstacles.items())


def no_port_fits(instance: str, group: str, obstacles: Mapping[str, str]) -> str:
    if not obstacles:
        return f"{instance} has no port that can have security groups."
    reasons = "; ".join(f"port {ref} {why}" for ref, why in obstacles.items())
    return f"No port of {instance} can have {group}: {reasons}."


def other_kind(group: str, *, stateless: bool) -> str:
    """Why a port can't have a group: OpenStack has stateful or stateless groups on a port, not both."""
    have, is_ = ("stateful", "stateless") if stateless else ("stateless", "stateful")
    return f"has {have} groups, but {group} is {is_}"


def elsewhere(kind: str, port_ref: str | None, group: str, group_ref: str | None, *, alone: bool) -> str:
    """Why a port can't have a group of another network or tenant (`kind`)."""
    place = f"{kind} {port_ref}" if port_ref else f"an unknown {kind}"
    if not group_ref:
        return f"is in {place}, but the {kind} of {group} is unknown"
    only = "only " if alone else ""
    return f"is in {place}, but {group} belongs {only}to {group_ref}"


def not_everywhere(verb: Verb, group: str, instance: str, obstacles: Mapping[str, str]) -> str:
    """Why a change that is for all of its ports or for none is refused."""
    reasons = "; ".join(f"port {ref} {why}" for ref, why in obstacles.items())
    return f"{cannot(verb, change_of(verb, group, instance), reasons)}. Nothing was changed."


def last_group(verb: Verb, group: str, instance: str, ports: Iterable[str], minimum: int) -> str:
    reason = f"it is the last security group of port {_list(ports)}, which must keep at least {minimum}"
    return f"{cannot(verb, change_of(verb, group, instance), reason)}. Nothing was changed."


def managed_by_others(
    verb: Verb, group: str, instance: str, ports: Iterable[tuple[str, str | None]], *, others: bool
) -> str:
    """Only the cloud's own services may write these ports (ref and name). `others` could be written."""
    named = _list(f"{ref} ({name})" if name else ref for ref, name in ports)
    reason = f"port {named} is managed by a service of the cloud, and only that service may change its groups"
    advice = ' Name the other ports in "ports" to change only these.' if others else ""
    return f"{cannot(verb, change_of(verb, group, instance), reason)}. Nothing was changed.{advice}"


MANAGED = "is managed by a service of the cloud"
LAST_GROUP = "has no other security group, and must keep one"


def emptied(ports: Iterable[str]) -> str:
    """What follows a message if these ports have no group any more."""
    return f" Port {_list(ports)} has no security group left, so all inbound traffic to it is dropped."


def not_at_cloud(instance: str) -> str:
    return f"the cloud has no such group that {instance} could have."


def several_at_cloud(refs: Collection[str]) -> str:
    return f"the cloud has several groups with this name. Choose one by its ems_ref: {', '.join(refs)}."


def other_name_at_cloud(ref: str, name: str) -> str:
    return f"the name of group {ref} is {name}."


def already_written(reason: str, request_ids: Iterable[str]) -> str:
    return f"{reason} These ports had already been changed: {', '.join(request_ids)}."


def not_undone(refusal: str, reason: str) -> str:
    return f"{refusal} Earlier changes could not be undone: {reason}"


# For a while

#: What follows a message of something that ends.
CONNECTIONS_MAY_STAY = "Connections that are open by then may stay open."
NO_LONGER_TEMPORARY = " It was temporary, and now stays."
TIME_OVER = "The time for which this was requested was over before it could be done. Nothing was changed."
TAKEN_BACK = " Its time is over. Connections that are open already may stay open."
STAYS = " It was there before, so it is not taken back."
ALREADY_ENDED = "Nothing to do: what the expiration was about is gone already."
GONE = "it has ended, or is kept for good"
IS_ENDING = "it is being taken back"
BOTH_ENDS = "Specify for or until, and not both."
REASON_WITHOUT_END = "reason: it goes with for or until"
NO_END = "Specify for or until."
IN_THE_PAST = "until: this time is over"
INVALID_DURATION = "Specify a number of seconds from 1, or 90s, 30m, 2h or 3d."


def moment(time: datetime) -> str:
    """`2030-01-31 12:00:00 UTC`."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def until(message: str, time: datetime) -> str:
    """`Adding security group web to vm-1 until 2030-01-31 12:00:00 UTC`."""
    return f"{message} until {moment(time)}"


def taken_back_at(time: datetime) -> str:
    """What follows the message of a finished task."""
    return f" It is taken back at {moment(time)}. {CONNECTIONS_MAY_STAY}"


def extended_to(time: datetime) -> str:
    return f" It was temporary already, and now ends at {moment(time)}."


def ends_later(time: datetime) -> str:
    return f" It was temporary already, and ends later, at {moment(time)}."


def not_due(time: datetime) -> str:
    return f"Nothing to do: the expiration was extended, and now ends at {moment(time)}."


def too_long(longest: timedelta) -> str:
    return f"for, until: the longest time is {duration(longest)}"


def duration(time: timedelta) -> str:
    """`7 days`, `36 hours`, `90 seconds`."""
    seconds = int(time.total_seconds())
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            number = seconds // size
            return f"{number} {name}{'s' if number != 1 else ''}"
    raise ValueError(time)


def ending_of(subject: str) -> str:
    """What a task does that takes something back: `Removing web from vm-1, whose time is over`."""
    return f"{subject}, whose time is over"


def expiration_called(pk: int) -> str:
    return f"expiration {pk}"


def extended(subject: str, time: datetime) -> str:
    return f"Extended {subject}: it ends at {moment(time)}"


def kept(subject: str) -> str:
    return f"Kept for good: {subject}"


def cannot_extend(subject: str, reason: str) -> str:
    return f"Cannot extend {subject}: {reason}"


def cannot_keep(subject: str, reason: str) -> str:
    return f"Cannot keep {subject}: {reason}"


def cannot_end(subject: str, reason: str) -> str:
    return f"Cannot end {subject}: {reason}"


def ends_later_already(time: datetime) -> str:
    return f"it ends at {moment(time)} already, which is not earlier"


NO_INSTANCE = "its port is on no instance"

_EXPIRATION_EVENTS: Mapping[str, str] = {
    "expiration_created": "{} ends at {}",
    "expiration_extended": "{} was extended, and ends at {}",
    "expiration_kept": "{} was to end at {}, and now stays",
    "expiration_ended": "{} was to end at {}, and has ended",
}


def expiration_event(event_type: str, group: str, vm: str | None, time: datetime) -> str:
    """`Security group web on vm-1 ends at ...`; without a VM, it is about a rule."""
    subject = f"Security group {group} on {vm}" if vm else f"A rule of security group {group}"
    return _EXPIRATION_EVENTS[event_type].format(subject, moment(time))


# What becomes of editing groups and rules


def is_noop(subject: str, state: str) -> str:
    return f"There was nothing to do: {subject} {state}."


#: Of twins of rules, and of rules that name a group.
NOT_NEEDED = "are not needed"
ALREADY_EXISTS, ALREADY_GONE = "already exists", "no longer exists"


def hidden_tenant(reason: str, tenant: str) -> str:
    return f"{reason} These credentials can't see tenant {tenant}."


def not_shown_yet(reason: str) -> str:
    return f"The cloud does not show the new group yet. {reason}"


# What a refresh leaves out


def in_left_out(network: str) -> str:
    """What is wrong with the network of a group; follows the attribute's name."""
    return f"is {network}, which was left out"


def neither_port_nor_any(value: object) -> str:
    return f"The value {value} is neither a port nor any."


# The admin

HIDDEN_GROUP = "a group that you may not see"
HIDDEN_SOURCE = "what you may not see"
UNKNOWN_ENTRIES = "not known"
NO_ENTRIES = "none"
ANYBODY = "any"
CAN_REACH = "can it reach…?"
CAN_BE_REACHED = "can … reach it?"
QUESTION = "Can A reach B?"


def too_much_to_read(ports: int, rules: int) -> str:
    return (
        f"There are more than {ports} network ports or {rules} rules, which is too much for a page. "
        "The attribute effective_rules of the API has them all."
    )


def too_many_instances(most: int) -> str:
    return f"Select at most {most} at once."


def first_of(texts: Iterable[str], more: int) -> str:
    """Some texts, and how many more there are."""
    return f"{', '.join(texts)}{f' and {more} more' if more else ''}"


def accepted_changes(number: int) -> str:
    return f"{number} change{'s' if number > 1 else ''} accepted."


def refused_changes(number: int) -> str:
    return f"{number} change{'s' if number > 1 else ''} refused. The tasks say why."


# Commands


def unwritable(path: object, reason: object) -> str:
    return f"Can't write to {path}: {reason}"


def no_provider(name: str) -> str:
    return f"There is no provider {name}"


def too_small(groups: int) -> str:
    return f"Specify at least {groups} groups; instances and rules can't be negative"


def already_synthesized(providers: Iterable[str]) -> str:
    return f"{', '.join(providers)} already exists. Delete it, or choose another seed"


def _list(refs: Iterable[str]) -> str:
    return ", ".join(sorted(refs))
