"""Random grants over random inventories: each answer has what plain Python says that they reach, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from inventory.rest.resources import get_resource_type
from tests.examples import EXAMPLES
from tests.inventory.rest.query.model import Filter, Query
from tests.reach.judging import assert_nothing_outside
from tests.reach.model import TEXTS, TOTALS, Asked, Page, Reach, page
from tests.reach.world import Builder, World, give, keep_events

pytestmark = [pytest.mark.walk, pytest.mark.django_db]

#: Requests of each user in each inventory.
REQUESTS = 20
LIMIT = 1000
PATTERNS = ("a*", "*B*", "*Q", "x", "y", "*1*")


# Shrinking an inventory takes minutes and makes it no plainer; the seed brings it back.
@settings(max_examples=max(EXAMPLES // 2, 1), phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_a_user_is_shown_what_the_grants_reach_and_nothing_else(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - the same inventory for each seed
    with transaction.atomic():
        world = Builder(random).build()
        user, superuser = world.users[0], User.objects.create_superuser("root")
        of_teams = give(world, random, user)
        if random.random() < 0.5:  # which add nothing to a grant
            user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
        client, control = Client(), Client()
        client.force_login(user)
        control.force_login(superuser)
        everything = Reach(world, superuser.pk, everything=True, is_superuser=True, owned=Reach(world, None, True))
        for _ in range(REQUESTS):
            reach, headers = _as_somebody(world, random, user, of_teams)
            asked = _asked(world, random)
            _assert_reached(client, reach, asked, headers)
            if random.random() < 0.2:
                _assert_hidden_alone(client, reach, asked.collection, headers)
            # The superuser is shown what the model has: else an answer without anything would do.
            _assert_reached(control, everything, asked, {})
        transaction.set_rollback(True)


def _as_somebody(
    world: World, random: Random, user: User, of_teams: dict[int, Any]
) -> tuple[Reach, dict[str, str]]:
    """By all grants of the user's teams, or by those of one team."""
    grants = [grant for of_team in of_teams.values() for grant in of_team]
    if of_teams and random.random() < 0.3:
        team = random.choice([team for team in world.teams if team.pk in of_teams])
        limited = of_teams[team.pk]
        return Reach.by(world, user.pk, limited), {"X-MIQ-Group": quote(team.name)}
    if not grants and user.user_permissions.exists():
        return Reach(world, user.pk, everything=True, owned=Reach(world, None, True)), {}
    return Reach.by(world, user.pk, grants), {}


# --- What is asked ---


def _asked(world: World, random: Random) -> Asked:
    collection = random.choice([*TEXTS])
    parent = _parent(world, random)
    if parent:
        collection = world.links[parent[0]][parent[2]].target
    names = (*TEXTS[collection], *TOTALS.get(collection, ()), "id")
    orders = [
        (name, random.random() < 0.5)
        for name in random.sample(names, random.choice((0, 0, 1, 1, 2)) % (len(names) + 1))
    ]
    filters = [_filter(world, random, collection) for _ in range(random.choice((0, 0, 1, 1, 2, 3)))]
    query = Query(filters, orders, False, random.choice((0, 0, 1, 3)), random.choice((1, 2, 5, LIMIT, LIMIT)))
    relations = [name for name in _relations(world, collection) if random.random() < 0.4]
    resource_type = get_resource_type(collection)
    below = [name for name in resource_type.subcollections if name in world.links[collection]]
    return Asked(
        collection,
        query,
        parent,
        is_expanded=random.random() < 0.8,
        attributes=tuple({*random.sample(names, 1), *relations}),
        embedded=tuple(random.sample(below, min(len(below), random.choice((0, 0, 1))))),
    )


def _parent(world: World, random: Random) -> tuple[str, int, str] | None:
    if random.random() < 0.75:
        return None
    collection = random.choice([name for name in world.rows if name in django_settings.COLLECTIONS])
    below = [name for name in get_resource_type(collection).subcollections if name in world.links[collection]]
    if not below or not world.rows[collection]:
        return None
    return collection, random.choice(sorted(world.rows[collection])), random.choice(below)


def _relations(world: World, collection: str) -> list[str]:
    relations = get_resource_type(collection).relations
    return [name for name in relations if name in world.links[collection]]


def _filter(world: World, random: Random, collection: str) -> Filter:
    """By an attribute, or by one of something related; often by a name that is there."""
    target, prefix = collection, ""
    relations = _relations(world, collection)
    if relations and random.random() < 0.6:
        relation = random.choice(relations)
        target, prefix = world.links[collection][relation].target, f"{relation}."
    totals = tuple(TOTALS.get(target, ()))
    name = random.choice((*TEXTS[target], *totals, "id"))
    alternative = random.random() < 0.2
    operator = random.choice(("=", "!=", "<", ">="))
    value: Any
    if name == "id":
        value = random.choice([*world.rows[target], 0])
    elif name in totals:
        value = random.randrange(4)
    else:
        texts = [row.values[name] for row in world.rows[target].values() if row.values.get(name)]
        value = random.choice((*PATTERNS, random.choice([*texts, "x"]), None))
        if value is None or operator not in ("=", "!="):
            operator = random.choice(("=", "!="))
    operand = "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)
    text = f"{'or ' * alternative}{prefix}{name}{operator}{operand}"
    return Filter(f"{prefix}{name}", operator, (value,), text, alternative)


def _address(asked: Asked) -> str:
    below = f"{asked.parent[0]}/{asked.parent[1]}/{asked.parent[2]}" if asked.parent else asked.collection
    query = asked.query
    parameters = [f"filter[]={quote(one.text)}" for one in query.filters]
    parameters += [f"offset={query.offset}", f"limit={query.limit}"]
    if query.orders:
        parameters.append("sort_by=" + ",".join(name for name, _ in query.orders))
        parameters.append("sort_order=" + ",".join("desc" if down else "asc" for _, down in query.orders))
    if asked.is_expanded:
        parameters.append("expand=" + ",".join(("resources", *asked.embedded)))
        parameters.append("attributes=" + ",".join(asked.attributes))
    return f"/api/{below}?{'&'.join(parameters)}"


# --- What is answered ---


def _assert_reached(client: Client, reach: Reach, asked: Asked, headers: dict[str, str]) -> None:
    keep_events(reach.world)  # a refusal is one
    url = _address(asked)
    response = client.get(url, headers=headers)
    context = (url, headers, response.content)
    assert_nothing_outside(reach, url, response)
    needed = {asked.collection} if asked.parent is None else {asked.collection, asked.parent[0]}
    if not all(map(reach.may_list, needed)):
        assert response.status_code == HTTPStatus.FORBIDDEN, context
        return
    if asked.parent and not reach.sees(*asked.parent[:2]):
        assert response.status_code == HTTPStatus.NOT_FOUND, context
        return
    assert response.status_code == HTTPStatus.OK, context
    wanted, found = page(reach, asked), response.json()
    assert _page_of(found) == wanted, context
    if asked.is_expanded:
        for resource in found["resources"]:
            for problem in _differing(reach, asked, resource):
                raise AssertionError((problem, context))
    pk = next(iter(wanted.ids), None)
    if pk is not None and asked.parent is None:
        _assert_alone(client, reach, asked.collection, pk, headers)


def _page_of(found: dict[str, Any]) -> Page:
    ids = [int(resource["href"].rpartition("/")[2]) for resource in found["resources"]]
    assert found["subcount"] == len(ids)
    return Page(found["count"], found.get("subquery_count", found["count"]), found["pages"], ids)


def _differing(reach: Reach, asked: Asked, resource: dict[str, Any]) -> Iterator[Any]:
    """What a resource shows that it should not, or not so."""
    collection, pk = asked.collection, int(resource["id"])
    for name in asked.attributes:
        link = reach.world.links[collection].get(name)
        shown = resource[name]
        if link is None or name in (*TEXTS[collection], *TOTALS.get(collection, ())):
            wanted: Any = str(pk) if name == "id" else reach.value(collection, pk, name)
        elif link.to_one:
            related = reach.related(collection, name, pk)
            wanted, shown = (related[0] if related else None), shown and int(shown["id"])
        else:
            wanted, shown = reach.related(collection, name, pk), [int(each["id"]) for each in shown]
        if shown != wanted:
            yield name, shown, wanted
    for name in asked.embedded:
        wanted, shown = reach.related(collection, name, pk), sorted(int(each["id"]) for each in resource[name])
        if shown != wanted:
            yield name, shown, wanted


def _assert_alone(client: Client, reach: Reach, collection: str, pk: int, headers: dict[str, str]) -> None:
    url = f"/api/{collection}/{pk}"
    response = client.get(url, headers=headers)
    assert response.status_code == HTTPStatus.OK, (url, response.content)
    assert_nothing_outside(reach, url, response)


def _assert_hidden_alone(client: Client, reach: Reach, collection: str, headers: dict[str, str]) -> None:
    """What is not seen is answered as what there is not, in whatever way it is asked for."""
    hidden = [pk for pk in sorted(reach.world.rows[collection]) if not reach.sees(collection, pk)][:1]
    for pk in hidden:
        answers = []
        for key in (pk, 10**9):
            url = f"/api/{collection}/{key}"
            body = {"action": "query", "resources": [{"id": str(key)}, {"href": f"http://testserver{url}"}]}
            responses = [
                client.get(url, headers=headers),
                client.get(url, headers={**headers, "If-None-Match": "*"}),
                client.post(url, {"action": "no_such_action"}, "application/json", headers=headers),
                client.post(f"/api/{collection}", body, "application/json", headers=headers),
            ]
            for response in responses:
                assert_nothing_outside(reach, url, response)
            answers.append([(one.status_code, _without(str(key), one)) for one in responses])
        assert answers[0] == answers[1], (collection, pk)
        expected = HTTPStatus.NOT_FOUND if reach.may_list(collection) else HTTPStatus.FORBIDDEN
        assert answers[0][0][0] == expected, (collection, pk)


def _without(key: str, response: Any) -> str:
    return response.content.decode().replace(key, "KEY") + response.headers.get("ETag", "")
