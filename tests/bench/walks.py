"""How far a request walks through the house: `python -m tests.bench.walks`.

For each request the files of Portcullis in which functions are called, the calls, and the moves: calls in another
file than the call before. What Django and other libraries do does not count. `first` is the first request of its
kind in the process, which also compiles what is kept; `next` is the second. `--draw` also prints each call, below
the function that it came from.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

HOUSE = Path(__file__).parents[2]
ROOMS = tuple(f"{HOUSE / room}{os.sep}" for room in ("inventory", "secgroups", "settings"))

LIST = "/api/instances?expand=resources&filter[]=name='production*'&limit=1"
ADD = "/api/instances/{}/security_groups"


class Call(NamedTuple):
    """A call of a function of Portcullis, that many such functions below the first."""

    depth: int
    file: str
    function: str

    def __str__(self) -> str:
        return f"{'  ' * self.depth}{Path(self.file).relative_to(HOUSE)}: {self.function}"


@dataclass(frozen=True)
class Walk:
    """The calls, in their order. A generator is called once more for each value."""

    calls: tuple[Call, ...]

    @classmethod
    def of(cls, do: Callable[[], Any]) -> Walk:
        calls: list[Call] = []
        depth = 0

        def note(frame: FrameType, event: str, argument: object) -> None:
            nonlocal depth
            code = frame.f_code
            if event == "call" and code.co_filename.startswith(ROOMS):
                calls.append(Call(depth, code.co_filename, code.co_qualname))
                depth += 1
            elif event == "return" and code.co_filename.startswith(ROOMS):
                depth -= 1

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            do()
        finally:
            sys.setprofile(before)
        return cls(tuple(calls))

    @property
    def files(self) -> set[str]:
        return {call.file for call in self.calls}

    @property
    def moves(self) -> int:
        return sum(call.file != following.file for call, following in pairwise(self.calls))

    def __str__(self) -> str:
        return f"{len(self.files):5} files {len(self.calls):5} calls {self.moves:5} moves"


def walks() -> dict[str, Walk]:
    """By the name of the request; in the database of the tests, which has the cast."""
    from django.contrib.auth.models import Permission, User
    from django.test import Client

    from inventory.services import issue_token
    from settings.base import TOKEN_TTL
    from tests.cast import enter
    from tests.contracts import everything_to_see

    cast = enter()
    operator = everything_to_see(User.objects.create_user("operator"))
    operator.user_permissions.add(Permission.objects.get(codename="change_vm_security_groups"))
    token = issue_token(user=operator, ttl=TOKEN_TTL["api"], group=None, by=None)[1]
    client = Client(headers={"X-Auth-Token": token})
    single = cast.production.single.pk

    def add(group: str) -> None:
        body = {"action": "add", "name": group}
        answer = client.post(ADD.format(single), body, content_type="application/json")
        assert answer.json()["results"][0]["success"], answer.content

    def get() -> None:
        answer = client.get(LIST)
        assert answer.json()["resources"], answer.content

    client.get("/api")  # reads the URLs, which makes every view
    return {
        "GET list, first": Walk.of(get),
        "GET list, next": Walk.of(get),
        "POST add, first": Walk.of(lambda: add("web")),
        "POST add, next": Walk.of(lambda: add("db")),
    }


def main() -> None:
    parser = ArgumentParser(description="How far a request walks through the house.")
    parser.add_argument("--draw", action="store_true", help="print each call")
    draw = parser.parse_args().draw
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings.test"

    import django
    from django.test.runner import DiscoverRunner

    django.setup()
    runner = DiscoverRunner(verbosity=0, interactive=False)
    runner.setup_test_environment()
    databases = runner.setup_databases()
    try:
        for name, walk in walks().items():
            print(f"{name:16}{walk}")  # noqa: T201
            if draw:
                print(*walk.calls, sep="\n")  # noqa: T201
    finally:
        runner.teardown_databases(databases)
        runner.teardown_test_environment()


if __name__ == "__main__":
    main()
