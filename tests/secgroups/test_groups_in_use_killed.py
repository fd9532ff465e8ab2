"""Workers that die while they replace groups or delete those in use, at any call of the cloud."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from inventory.models import Task
from secgroups.models import SecurityGroup
from tests.cast import Cast
from tests.clouds import MemoryCloud
from tests.secgroups.in_use import Killed, deleted, end, port_states, put_to_use, replaced, run

#: More calls than it takes.
CALLS = range(28)


@pytest.fixture
def admin(django_user_model: type[User]) -> User:
    return django_user_model.objects.create_superuser("root")


@pytest.fixture
def used(cast: Cast, cloud: MemoryCloud) -> Cast:
    put_to_use(cloud, cast)
    return cast


@pytest.fixture(params=["before", "after"])
def die_at(request: pytest.FixtureRequest, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets the worker die at a call, before the cloud has got it or when it has done it."""
    answer: Callable[..., Any] = cloud._answer

    def prepare(number: int) -> None:
        left = [number]

        def counted(name: str, arguments: Any, call: Callable[[], Any]) -> Any:
            left[0] -= 1
            if left[0] != -1:
                return answer(name, arguments, call)
            if request.param == "after":
                answer(name, arguments, call)
            raise Killed

        monkeypatch.setattr(cloud, "_answer", counted)

    return prepare


def run_twice(task: Task) -> None:
    """Carry it out, by a second worker if the first one dies."""
    try:
        run(by_sweep=True)
    except Killed:
        run(by_sweep=True)
    assert end(task)[:2] == ("Finished", "Ok")


@pytest.mark.parametrize("number", CALLS)
def test_a_replacement_goes_on(
    used: Cast, cloud: MemoryCloud, admin: User, die_at: Callable[[int], None], number: int
) -> None:
    before = {port.ref: port.group_refs for port in cloud.port_list}
    holders = {ref for ref, refs in before.items() if "sg-production-web" in refs}
    task = replaced(used.production.web, used.production.db, admin)
    die_at(number)
    run_twice(task)
    web, db = "sg-production-web", "sg-production-db"
    assert all({web, db} & groups[ref] for groups in port_states(cloud, before) for ref in holders)
    assert {ref for port in cloud.port_list if port.ref in holders for ref in port.group_refs} == {
        db,
        "sg-production-default",
    }
    naming = sorted((rule.group_ref, rule.port, rule.source_group_ref) for rule in cloud.rule_list)
    assert naming == [(db, 5432, db), (web, 80, db), (web, 443, db)]
    assert not used.production.web.memberships.exists()
    assert used.production.db.memberships.count() == len(holders)
    assert used.production.db.rules_that_name_it.count() == 3


@pytest.mark.parametrize("number", CALLS)
def test_a_deletion_goes_on(
    used: Cast, cloud: MemoryCloud, admin: User, die_at: Callable[[int], None], number: int
) -> None:
    before = {port.ref: port.group_refs for port in cloud.port_list}
    task = deleted(used.production.web, admin)
    die_at(number)
    run_twice(task)
    assert all(all(groups.values()) for groups in port_states(cloud, before))
    assert "sg-production-web" not in {group.ref for group in cloud.group_list}
    assert not SecurityGroup.objects.filter(pk=used.production.web.pk).exists()
    assert cloud.groups_of("i-production-single") == {"eni-production-single-1": ("sg-production-default",)}
