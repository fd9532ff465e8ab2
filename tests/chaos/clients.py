"""Clients that ask for changes until they have an answer, and remember what was accepted."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import UUID

import requests

#: Answers after which one asks again: it was not done, or that is not known.
AGAIN = {
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
#: Answers to who may not, or may not see what it names.
REFUSED = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
TIMEOUT = 15
#: How much of what is added is only for a while.
FOR_A_WHILE = 0.4


@dataclass
class History:
    """What all clients were told."""

    #: The ids of the tasks.
    accepted: list[int] = field(default_factory=list)
    #: How many instances each task with parts was to change, by its id.
    many: dict[int, int] = field(default_factory=dict)
    #: Those of them that were cancelled.
    cancelled: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    #: The ids of requests that may have been accepted in a lost answer, before their repeats were refused.
    unheard: set[str] = field(default_factory=set)
    #: What should not have been answered.
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Target:
    """An instance, by its address in the API, with the refs of its interfaces."""

    path: str
    interfaces: Sequence[str]


class Client:
    """One of them, which goes from one web server to the other when it gets no answer."""

    def __init__(
        self,
        urls: Sequence[str],
        token: str,
        targets: Sequence[Target],
        groups: Mapping[str, str],
        history: History,
        seed: str,
        *,
        is_limited: bool = False,
    ) -> None:
        #: The groups have their addresses by name.
        self._urls, self._targets, self._groups, self._history = urls, targets, groups, history
        #: What it may do is taken away and given back.
        self._is_limited = is_limited
        self._random = random.Random(seed)
        self._session = requests.Session()
        self._session.headers["X-Auth-Token"] = token
        self._session.trust_env = False

    def ask_for_something(self, give_up: Callable[[], bool]) -> None:
        """Make one request and, sometimes, the same again, or cancel or retry what it led to."""
        if self._random.random() < 0.05:
            self._change_many(give_up)
            return
        target = self._random.choice(self._targets)
        key = str(UUID(int=self._random.getrandbits(128)))
        action = self._random.choice(["add", "remove"])
        body = {"action": action, "resources": self._resources(target, for_a_while=action == "add")}
        answer = self._answer(f"{target.path}/security_groups", body, key, give_up)
        if answer is None:
            return
        told = [result for result in answer["results"] if result["success"]]
        self._history.accepted += [int(result["task_id"]) for result in told]
        self._history.counts["requests"] += 1
        dice = self._random.random()
        if dice < 0.1:
            self._history.counts["repeats"] += 1
            again = self._answer(f"{target.path}/security_groups", body, key, give_up)
            if again not in (answer, None):
                self._history.wrong.append(f"a repeat was answered {again} instead of {answer}")
        elif dice < 0.35 and told:
            self._meddle(f"/api/tasks/{self._random.choice(told)['task_id']}", key, give_up)

    def _change_many(self, give_up: Callable[[], bool]) -> None:
        """Change a group of many instances with one task and, sometimes, cancel or retry that."""
        targets = {target.path: target for target in self._random.choices(self._targets, k=20)}
        key = str(UUID(int=self._random.getrandbits(128)))
        action, group = self._random.choice(["add", "remove"]), self._random.choice([*self._groups])
        body = {"action": action, "resources": [{"href": path} for path in targets]}
        answer = self._answer(f"{self._groups[group]}/instances", body, key, give_up)
        if answer is None:
            return
        [result] = answer["results"]
        parent = int(result["task_id"])
        if parent in self._history.many:
            self._history.wrong.append(f"task {parent} with parts was the answer to two requests")
        self._history.many[parent] = len(targets)
        self._history.counts["requests for many"] += 1
        if result["success"] and self._random.random() < 0.5:
            self._meddle(f"/api/tasks/{result['task_id']}", key, give_up)

    def _meddle(self, path: str, key: str, give_up: Callable[[], bool]) -> None:
        """Cancel or retry a task, at once or when it may have failed already."""
        time.sleep(self._random.choice([0, 0, self._random.uniform(0, 3)]))
        action = self._random.choice(["cancel", "retry"])
        answer = self._answer(path, {"action": action}, f"{key}-{action}", give_up)
        if answer and answer["success"]:
            self._history.counts[f"{action} done"] += 1
            if action == "cancel":
                self._history.cancelled.append(int(path.rpartition("/")[2]))

    def _resources(self, target: Target, *, for_a_while: bool) -> list[dict[str, Any]]:
        many = self._random.choice([1, 1, 2, 4])
        named = [{"name": name} for name in self._random.sample([*self._groups, "no-such-group"], many)]
        if for_a_while and self._random.random() < FOR_A_WHILE:
            named = [{**one, "for": self._random.randint(2, 20), "reason": "chaos"} for one in named]
        if self._random.random() < 0.2:
            return [{**one, "ports": [self._random.choice(target.interfaces)]} for one in named]
        return named

    def _answer(self, path: str, body: object, key: str, give_up: Callable[[], bool]) -> dict[str, Any] | None:
        """The answer, whatever it takes; None for a refusal, or if the run is over and it may be left undone."""
        is_lost = False
        while True:
            url = self._random.choice(self._urls) + path
            try:
                response = self._session.post(
                    url, json=body, headers={"Idempotency-Key": key, "X-Request-Id": key}, timeout=TIMEOUT
                )
            except requests.RequestException as error:
                self._history.counts[f"asked again after {type(error).__name__}"] += 1
                is_lost = True
            else:
                if self._is_limited and response.status_code in REFUSED:
                    self._history.counts[f"refused with {response.status_code}"] += 1
                    self._history.unheard |= {key} if is_lost else set()
                    return None
                if response.status_code not in AGAIN:
                    if response.status_code not in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST):
                        self._history.wrong.append(f"{path}: {response.status_code} {response.text[:500]}")
                    answer: dict[str, Any] = response.json()
                    return answer
                self._history.counts[f"asked again after {response.status_code}"] += 1
            if give_up():
                self._history.wrong.append(f"{path}: no answer")
                return None
            time.sleep(self._random.uniform(0.05, 0.3))
