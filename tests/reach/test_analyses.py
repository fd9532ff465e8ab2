"""What rules mean to somebody who sees a part: nothing that the whole denies, and what is hidden is unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.examples import EXAMPLES
from tests.reach.judging import assert_nothing_outside
from tests.reach.model import Reach
from tests.reach.world import Builder, give

pytestmark = [pytest.mark.walk, pytest.mark.django_db]

#: Questions of each kind in each inventory.
QUESTIONS = 4
#: At least this share of verdicts is not "unknown".
DECIDED = 0.4
SIDES = ("vms", "network_ports", "security_groups")
OUTSIDE = ("internet", "8.8.8.8", "8.8.8.0/24", "10.0.0.3", "10.0.0.0/29", "0.0.0.0/0")
SERVICES = ({}, {"protocol": "tcp"}, {"protocol": "tcp", "port": "22"}, {"protocol": "udp", "port": "53"})
#: What lines are compared at.
ADDRESSES = ("1.1.1.1", "8.8.8.8", "9.9.9.9", "10.0.0.1", "10.0.0.4", "10.0.0.8", "200.0.0.1", "2a00::1")
POINTS = (("tcp", 22), ("tcp", 80), ("udp", 53), ("udp", 54))


def test_an_answer_about_rules_may_be_unknown_and_never_contradicts_the_whole() -> None:
    verdicts: Counter[str] = Counter()

    @settings(max_examples=max(EXAMPLES // 2, 1), phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32))
    def compare(seed: int) -> None:
        verdicts.update(_compare(seed))

    compare()
    # Else nothing but "unknown" would do.
    assert verdicts.total() - verdicts["unknown"] > DECIDED * verdicts.total(), verdicts


def _compare(seed: int) -> Iterator[str]:
    """Compare answers in one inventory. Returns the verdicts about what a user sees."""
    random = Random(seed)  # noqa: S311 - the same inventory for each seed
    with transaction.atomic():
        world = Builder(random).build()
        user, superuser = world.users[0], User.objects.create_superuser("root")
        grants = [grant for of_team in give(world, random, user).values() for grant in of_team]
        reach, client, control = Reach.by(world, user.pk, grants), Client(), Client()
        client.force_login(user)
        control.force_login(superuser)
        seen = [f"{name}/{pk}" for name in SIDES for pk in reach.rows(name)]
        for _ in range(QUESTIONS if seen else 0):
            yield _compare_reachability(random, seen, reach, client, control)
            _compare_lists(random, seen, reach, client, control)
        for side in random.sample(seen, min(len(seen), QUESTIONS)):
            _compare_lines(side, reach, client, control)
        transaction.set_rollback(True)


def _asked(client: Client, reach: Reach | None, url: str, **query: str) -> Any:
    answer = client.get(url, query)
    assert answer.status_code == HTTPStatus.OK, (url, query, answer.content)
    if reach:
        assert_nothing_outside(reach, f"{url}?{query}", answer)
    return answer.json()


def _compare_reachability(random: Random, seen: list[str], reach: Reach, client: Client, control: Client) -> str:
    sides = [random.choice(seen), random.choice([*seen, *OUTSIDE])]
    random.shuffle(sides)
    query = {"from": sides[0], "to": sides[1], **random.choice(SERVICES)}
    part = _asked(client, reach, "/api/reachability", **query)
    whole = _asked(control, None, "/api/reachability", **query)
    assert part["verdict"] in {whole["verdict"], "unknown"}, (query, part, whole)
    assert bool(part["unknown"]) == (part["verdict"] == "unknown"), (query, part)
    return str(part["verdict"])


def _compare_lists(random: Random, seen: list[str], reach: Reach, client: Client, control: Client) -> None:
    query = {random.choice(("from", "to")): random.choice([*seen, *OUTSIDE]), **random.choice(SERVICES)}
    part = _asked(client, reach, "/api/reachability", **query)
    whole = _asked(control, None, "/api/reachability", **query)
    shown, all_shown = (
        {int(each["href"].rpartition("/")[2]) for each in answer["resources"]} for answer in (part, whole)
    )
    assert shown <= all_shown, (query, part, whole)
    assert part["count"] == len(shown)
    left_out = {pk for pk in all_shown - shown if reach.sees("vms", pk)}
    assert not left_out or part["unknown"], (query, left_out, part, whole)
    ranges = [{each["source_ip_range"] for each in answer["ranges"]} for answer in (part, whole)]
    assert ranges[0] <= ranges[1], (query, part, whole)


def _compare_lines(side: str, reach: Reach, client: Client, control: Client) -> None:
    url = f"/api/{side}"
    part = _asked(client, reach, url, attributes="effective_rules")["effective_rules"]
    whole = _asked(control, None, url, attributes="effective_rules")["effective_rules"]
    for direction in ("inbound", "outbound"):
        for service in POINTS:
            unclear = any(_is_about(line, direction, service) and line["addresses"] is None for line in part)
            for address in ADDRESSES:
                is_open, truly = (_is_open(lines, direction, service, address) for lines in (part, whole))
                known = not any(
                    _is_about(line, direction, service) and line["addresses"] is None for line in whole
                )
                assert truly or not is_open or not known, (side, direction, service, address, part, whole)
                assert is_open or unclear or not truly, (side, direction, service, address, part, whole)


def _is_about(line: dict[str, Any], direction: str, service: tuple[str, int]) -> bool:
    protocol, port = service
    if line["direction"] != direction or line["host_protocol"] not in (None, protocol):
        return False
    return line["port"] is None or line["port"] <= port <= (line["end_port"] or line["port"])


def _is_open(lines: list[dict[str, Any]], direction: str, service: tuple[str, int], address: str) -> bool:
    return any(
        ip_address(address) in ip_network(text)
        for line in lines
        if _is_about(line, direction, service)
        for text in line["addresses"] or ()
    )
