"""What people are told about reverting tasks. A reason follows `Cannot revert task 12: `."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

#: How many changes are named at most.
NAMED = 5

NOT_FINISHED = "it is not finished"
NOTHING_TO_REVERT = "it did not change memberships, security groups or rules"
CHANGED_NOTHING = "it changed nothing"
FAILED = "it failed, and changed nothing"
UNRECORDED = "what it changed could not be recorded"
NO_EVENTS = "the events that say what it changed are no longer kept, or are older than the record of events"
BOTH_WAYS = "it found ports changed both ways. Change them one by one"
SEVERAL_CHANGES = "its parts changed different things. Revert them one by one"
REPLACED = "it put another security group in the place of one. Replace that one with the first to go back"
DETACHED = "a deleted security group that was in use can't be put back where it was"
PORT_OF_NONE = "it changed a port that belongs to no instance"
SEVERAL_RULES = "it changed several rules. Change them one by one"
GROUP_GONE = "the security group is no longer in the inventory, or you may not see it"
RULE_GONE = "the rule is no longer in the inventory"
SOURCE_GONE = "what a rule names no longer exists, or you may not see it"
PLACE_GONE = "the tenant or the network of the security group no longer exists, or you may not see it"
STATELESS = "the security group was stateless, and only its cloud can create such a group"
NOT_PERMITTED = "Reverting a task takes the right to make the reverse change there."

FOUND_AT_CLOUD = "found at the cloud"


def called(task: int) -> str:
    return f"task {task}"


def by_change(task: int, change: str) -> str:
    """`task 12: removing security group web from vm-1`."""
    return f"{called(task)}: {change[:1].lower()}{change[1:]}"


def of_port(message: str, port: str) -> str:
    """`Security group web was added to vm-1 on port eni-1`."""
    return f"{message} on port {port}"


def not_as_left(group: str, port: str, *, present: bool) -> str:
    """What the ports at the cloud say of a membership."""
    return f"Security group {group} is {'already' if present else 'no longer'} on port {port}"


def differs_at_cloud(subject: str) -> str:
    """A rule or a group is not as the inventory has it."""
    return f"{subject[:1].upper()}{subject[1:]} is not as it was left"


def is_noop(subject: str, state: str) -> str:
    """The cloud has what the revert would bring about, by somebody else."""
    return f"{subject[:1].upper()}{subject[1:]} {state}"


def rules_differ_at_cloud(group: str) -> str:
    return f"Security group {group} has other rules"


def used_at_cloud(group: str, ports: Collection[str]) -> str:
    """`ports` are those that may be named."""
    where = f"on port {', '.join([*ports][:NAMED])}" if ports else "in use"
    return f"Security group {group} is {where}"


def restored(done: str) -> str:
    """What the task says that created a group again."""
    return f"{done} It has a new id. What named the old one, such as rules of other groups, does not name it."


def incomplete(restored: str, failures: Sequence[str]) -> str:
    return f"{restored} Its rules are not as they were: {' '.join(failures)}"


def changed_by(what: str, user: str | None, task: int | None, moment: datetime) -> str:
    """A change with who made it and when. Without a user, it was found at the cloud."""
    where = f" in task {task}" if task is not None else ""
    who = f"by {user}{where}" if user else FOUND_AT_CLOUD
    return f"{what}, {who} at {_time(moment)}"


def hidden_change(moment: datetime) -> str:
    """A change that the user may not see."""
    return f"Something that you may not see was changed at {_time(moment)}"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def changed_since(task: int, changes: Sequence[str]) -> str:
    """What is in the way of reverting a task."""
    more = len(changes) - NAMED
    named = ". ".join((*changes[:NAMED], *([f"There are {more} more changes"] if more > 0 else [])))
    return f"since task {task}, something else has changed. {named}. Nothing was changed."
