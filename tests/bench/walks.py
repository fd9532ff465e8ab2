"""How far a request walks through the house: `python -m tests.bench.walks`.

For each request the files of Portcullis in which functions are called, the calls, and the moves: calls in another
file than the call before. What Django and other libraries do does not count. `first` is the first request of its
kind in the process, which also compiles what is kept; `next` is the second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

HOUSE = Path(__file__).parents[2]
ROOMS = tuple(f"{HOUSE / room}{os.sep}" for room in ("inventory", "secgroups", "settings"))

LIST = "/api/instances?expand=resources&filter[]=name='single*'&limit=1"
ADD = "/api/instances/{}/security_groups"


@dataclass(frozen=True)
class Walk:
    """The files of the functions that were called, in the order of the calls."""

    files: tuple[str, ...]

    @classmethod
    def of(cls, do: Callable[[], Any]) -> Walk:
        files: list[str] = []

        def note(frame: FrameType, event: str, argument: object) -> None:
            if event == "call" and frame.f_code.co_filename.startswith(ROOMS):
                files.append(frame.f_code.co_filename)

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            do()
        finally:
            sys.setprofile(before)
        return cls(tuple(files))

    @property
    def moves(self) -> int:
        return sum(file != following for file, following in pairwise(self.files))

    def __str__(self) -> str:
        return f"{len(set(self.files)):5} files {len(self.files):5} calls {self.moves:5} moves"


def walks() -> dict[str, Walk]:
    """By the name of the request; in the database of the tests, which has the cast."""
    from django.contrib.auth.models import Permission, User
    from django.test import Client

    from inventory.models import AuthToken
    from settings.base import TOKEN_TTL
    from tests.cast import enter
    from tests.contracts import everything_to_see

    cast = enter()
    operator = everything_to_see(User.objects.create_user("operator"))
    operator.user_permissions.add(Permission.objects.get(codename="change_vm_security_groups"))
    token = AuthToken.objects.create(user=operator, expiry=TOKEN_TTL["api"], ttl=TOKEN_TTL["api"])[1]
    client = Client(headers={"X-Auth-Token": token})
    single = cast.production.single.pk

    def add(group: str) -> None:
        body = {"action": "add", "name": group}
        answer = client.post(ADD.format(single), body, content_type="application/json")
        assert answer.json()["results"][0]["success"], answer.content

    def get() -> None:
        answer = client.get(LIST)
        assert answer.status_code == 200, answer.content

    client.get("/api")  # reads the URLs, which makes every view
    return {
        "GET list, first": Walk.of(get),
        "GET list, next": Walk.of(get),
        "POST add, first": Walk.of(lambda: add("web")),
        "POST add, next": Walk.of(lambda: add("db")),
    }


def main() -> None:
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
    finally:
        runner.teardown_databases(databases)
        runner.teardown_test_environment()


if __name__ == "__main__":
    main()
