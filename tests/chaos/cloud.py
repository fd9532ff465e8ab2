"""An EC2 endpoint with bad days, and another tool that changes the same network interfaces."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from threading import Condition
from typing import Any
from xml.etree import ElementTree

from tests.live.endpoints import client_of
from tests.live.faults import REQUEST_ID, Answer, Call, FaultProxy

#: What may become of a request, and how likely it is. The rest is passed on.
FAULTS = {"late": 0.10, "throttled": 0.02, "failed": 0.04, "lost before": 0.03, "lost after": 0.04}
#: The longest that a request is held up, in seconds. Well below a lease, or a dead worker's could still arrive.
LATEST = 2.0
#: For how long after a reading by Portcullis another tool leaves an instance alone, in seconds. EC2 can't compare
#: before it replaces: a change between a reading and the writing on it is lost, and nothing can be done about it.
WINDOW = 4.0
#: The account that shares the VPC.
OTHER_ACCOUNT = "210987654321"
#: Where an item with an owner says which instance or group it is, or whose.
_IDS = ("{*}groupId", "{*}attachment/{*}instanceId", "{*}instancesSet/{*}item/{*}instanceId")

_REFUSAL = (
    "<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors>"
    "<RequestID>{}</RequestID></Response>"
)


class BadDays(FaultProxy):
    """The way to the cloud; `fair` is whether it behaves."""

    def __init__(self, target: str, seed: object) -> None:
        super().__init__(target)
        self.met: Counter[str] = Counter()
        self.fair = True
        #: Network interface → instance.
        self.instance_of: dict[str, str] = {}
        #: The instances and groups of the other account. All belong to one account at the endpoint.
        self.of_other_account: set[str] = set()
        self._random = random.Random(f"{seed} cloud")
        self._quiet = Condition()
        self._under_way: Counter[str] = Counter()
        self._seen_on: defaultdict[str, float] = defaultdict(float)
        self._taken: set[str] = set()

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
        call, _ = self._understood(method, path, headers, body)
        with self._about(self._instance(call)):
            fault = self._fault()
            self.met[fault or "well"] += 1
            match fault:
                case "late":
                    time.sleep(self._random.uniform(0, LATEST))
                case "throttled":
                    return _refused(503, "RequestLimitExceeded", "Request limit exceeded.")
                case "failed":
                    return _refused(500, "InternalError", "An internal error has occurred.")
                case "lost before":
                    return None
            answer = self._forward(method, path, headers, body)
            return None if fault == "lost after" else self._with_owners(call, answer)

    @contextmanager
    def undisturbed(self, instance: str) -> Iterator[bool]:
        """Keep Portcullis away from an instance; False if it may be about to write on what it has read."""
        with self._quiet:
            free = not self._under_way[instance] and time.monotonic() > self._seen_on[instance] + WINDOW
            if free:
                self._taken.add(instance)
        try:
            yield free
        finally:
            if free:
                with self._quiet:
                    self._taken.discard(instance)
                    self._quiet.notify_all()

    @contextmanager
    def _about(self, instance: str | None) -> Iterator[None]:
        if instance is None:
            yield
            return
        with self._quiet:
            self._quiet.wait_for(lambda: instance not in self._taken)
            self._under_way[instance] += 1
        try:
            yield
        finally:
            with self._quiet:
                self._under_way[instance] -= 1
                self._seen_on[instance] = time.monotonic()

    def _with_owners(self, call: Call, answer: Answer) -> Answer:
        if answer.status != HTTPStatus.OK or not call.action.startswith("Describe"):
            return answer
        root = ElementTree.fromstring(answer.body)  # noqa: S314 - of our own process
        for item in root.iter():
            owner = item.find("{*}ownerId")
            if owner is not None and any(item.findtext(path) in self.of_other_account for path in _IDS):
                owner.text = OTHER_ACCOUNT
        return replace(answer, body=ElementTree.tostring(root))

    def _instance(self, call: Call) -> str | None:
        """The instance whose interfaces a call reads or writes."""
        if call.parameters.get("Filter.1.Name") == "attachment.instance-id":
            return call.parameters["Filter.1.Value.1"]
        return self.instance_of.get(call.parameters.get("NetworkInterfaceId", ""))

    def _fault(self) -> str | None:
        if self.fair:
            return None
        dice = self._random.random()
        for fault, chance in FAULTS.items():
            if (dice := dice - chance) < 0:
                return fault
        return None


class OtherTool:
    """Gives groups of its own to interfaces that Portcullis changes as well, and takes them away."""

    def __init__(self, cloud: BadDays, endpoint: str, groups: list[str], seed: object) -> None:
        self.changes = 0
        #: What each interface has of its groups.
        self.given: defaultdict[str, set[str]] = defaultdict(set)
        self._cloud, self._api, self._groups = cloud, client_of(endpoint), groups
        self._random = random.Random(f"{seed} other tool")

    def change_something(self) -> None:
        interface = self._random.choice(sorted(self._cloud.instance_of))
        group = self._random.choice(self._groups)
        with self._cloud.undisturbed(self._cloud.instance_of[interface]) as free:
            if free:
                self.given[interface] ^= {group}
                kept = [ref for ref in groups_of(self._api)[interface] if ref not in self._groups]
                self._api.modify_network_interface_attribute(
                    NetworkInterfaceId=interface, Groups=[*kept, *sorted(self.given[interface])]
                )
                self.changes += 1


def groups_of(api: Any) -> dict[str, set[str]]:
    """The groups of each network interface, as the cloud has them."""
    pages = api.get_paginator("describe_network_interfaces").paginate(PaginationConfig={"PageSize": 1000})
    return {
        one["NetworkInterfaceId"]: {group["GroupId"] for group in one["Groups"]}
        for page in pages
        for one in page["NetworkInterfaces"]
    }


def _refused(status: int, code: str, message: str) -> Answer:
    return Answer(status, _REFUSAL.format(code, message, REQUEST_ID).encode())
