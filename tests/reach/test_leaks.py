"""Everything is asked as somebody who sees a part, in random inventories: no answer names anything outside.

A run judges 2,000 answers, `make leaks` 100,000.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from random import Random, getrandbits
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client

from inventory.rest.resources import get_resource_type
from tests.reach.judging import assert_nothing_outside
from tests.reach.model import Reach
from tests.reach.world import Builder, give, keep_events
from tests.test_scope import admin_site, api

pytestmark = [pytest.mark.walk, pytest.mark.django_db]

ANSWERS = int(os.environ.get("PORTCULLIS_ANSWERS", "2000"))


def test_no_answer_names_what_lies_outside(capsys: pytest.CaptureFixture[str]) -> None:
    judged: Counter[str] = Counter()
    hidden, inventories = 0, 0
    while judged.total() < ANSWERS:
        with transaction.atomic():
            # pytest-randomly's seed brings them back.
            answers, names = _judge(Random(getrandbits(32)))  # noqa: S311
            judged, hidden, inventories = judged + answers, hidden + names, inventories + bool(answers)
            transaction.set_rollback(True)
    with capsys.disabled():
        of_each = ", ".join(f"{number} of {walk}" for walk, number in judged.items())
        print(f"\n{of_each}: answers in {inventories} inventories, which hid {hidden} names")  # noqa: T201
    assert judged.keys() == {"what is hidden", "the API", "the admin"}
    assert hidden > judged.total() / 100  # else there was nothing to tell


def _judge(random: Random) -> tuple[Counter[str], int]:
    """Ask for everything in one inventory. Returns how many answers there are, and how many names lie outside."""
    world = Builder(random).build()
    user = world.users[0]
    user.is_staff = True
    user.save()
    grants = [grant for of_team in give(world, random, user).values() for grant in of_team]
    reach, client = Reach.by(world, user.pk, grants), Client()
    hidden = sum(not reach.sees_token(token) for token in world.tokens)
    if reach.everything or not grants:
        return Counter(), 0
    client.force_login(user)
    judged: Counter[str] = Counter()
    for walk, answers in {
        "what is hidden": _hidden(client, reach),
        "the API": api(client, user),
        "the admin": admin_site(client, user),
    }.items():
        for url, answer in answers:
            keep_events(world)  # a refusal is one
            assert_nothing_outside(reach, url, answer)
            assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, url
            judged[walk] += 1
    return judged, hidden


def _hidden(client: Client, reach: Reach) -> Iterator[tuple[str, Any]]:
    """What lies outside, asked for by its address, and changed by it."""
    for collection in settings.COLLECTIONS:
        for pk in (pk for pk in reach.world.rows.get(collection, ()) if not reach.sees(collection, pk)):
            url = f"/api/{collection}/{pk}"
            below = (f"{url}/{name}" for name in get_resource_type(collection).subcollections)
            for address in (url, *below):
                yield address, client.get(address)
                body = {"action": "add", "resources": [{"id": str(pk)}, {"href": f"http://testserver{url}"}]}
                yield address, client.post(address, body, "application/json")
            yield url, client.delete(url)
