"""Whether what was for a while has ended, in time and not before, and nothing else has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter

from msgspec import UNSET

from inventory.models import Task
from secgroups.arguments import MembershipChange, membership_task
from secgroups.models import Expiration
from tests.chaos.events import Member


@dataclass
class Following:
    """What the tasks of instances, in the order in which they ran, leave of each group of each interface."""

    #: What stays, and what ends then.
    permanent: set[Member]
    temporary: dict[Member, datetime] = field(default_factory=dict)
    #: When the task was done that added it: not before that it can be taken back.
    added: dict[Member, datetime] = field(default_factory=dict)
    #: How late each task was that took something back, in seconds.
    late: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def follow(self, task: Task) -> None:
        asked = membership_task(task.arguments)
        members = [Member(port, task.context_data["security_group"]["ems_ref"]) for port in _ports(task, asked)]
        if asked.expiration is not UNSET:
            self._take_back(task, [member for member in members if _lost(task, member)])
        elif asked.action == "remove":
            self.permanent.difference_update(members)
            for member in members:
                self.temporary.pop(member, None)
        elif asked.ending is UNSET:
            self.permanent.update(members)
            for member in members:
                self.temporary.pop(member, None)
        else:
            for member in set(members) - self.permanent:
                ends = self.temporary.get(member, asked.ending.expires_on)
                self.temporary[member] = max(ends, asked.ending.expires_on)
                self.added[member] = task.updated_on

    def _take_back(self, task: Task, lost: Iterable[Member]) -> None:
        for member in lost:
            ends = self.temporary.pop(member, None)
            told = f"task {task.pk} took {member.group} from {member.port}"
            if member in self.permanent:
                self.wrong.append(f"{told}, which had it for good")
            elif ends and task.started_on and ends > task.started_on:
                self.wrong.append(f"{told} at {task.started_on}, which was to have it until {ends}")
            elif ends:
                self.late.append((task.updated_on - max(ends, self.added[member])).total_seconds())


def followed(tasks: Iterable[Task], before: Mapping[str, Collection[str]]) -> Following:
    """What these tasks leave of what was there before, in the order in which they were accepted."""
    following = Following({Member(port, group) for port, groups in before.items() for group in groups})
    for task in sorted(tasks, key=attrgetter("pk")):
        if task.state == Task.State.FINISHED and task.status != Task.Status.ERROR:
            following.follow(task)
    return following


def expected(tasks: Iterable[Task], before: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """The groups of each interface, once the time of everything is over."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for member in followed(tasks, before).permanent:
        groups[member.port].add(member.group)
    return {port: groups[port] for port in before}


def judge_expirations(before: Mapping[str, Collection[str]]) -> Iterator[str]:
    """What is wrong with what was for a while."""
    tasks = Task.objects.filter(queue__startswith="vms/")
    following = followed(tasks, before)
    yield from following.wrong
    if not following.late:
        yield "nothing was taken back, so what was for a while was not judged"
    for row in Expiration.objects.all():
        about = f"expiration {row.pk} of {row.security_group} on {row.vm}"
        yield f"{about} was to end at {row.expires_on}, and is there"


def lateness(before: Mapping[str, Collection[str]]) -> dict[str, int]:
    """How many memberships were taken back, and how late, in seconds: the median, 99 of 100, and the latest."""
    late = sorted(followed(Task.objects.filter(queue__startswith="vms/"), before).late)
    if not late:
        return {"memberships": 0}
    at = {"s late at the median": 50, "s late in 99 of 100": 99, "s late at most": 100}
    shown = {name: round(late[(len(late) - 1) * share // 100]) for name, share in at.items()}
    return {"memberships": len(late), **shown}


def _ports(task: Task, asked: MembershipChange) -> Collection[str]:
    return asked.ports or [port["ems_ref"] for port in task.context_data.get("network_ports", ())]


def _lost(task: Task, member: Member) -> bool:
    """Whether a task saw the interface lose the group."""
    name = task.context_data["security_group"]["name"]
    [port] = [port for port in task.context_data["network_ports"] if port["ems_ref"] == member.port]
    return name in port["before"] and name not in port["after"]
