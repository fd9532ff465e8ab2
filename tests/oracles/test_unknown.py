"""What is not known stays unknown: answers of the API beside brute force, over random worlds.

They have prefix lists that can't be read, groups of other accounts, and services that nobody knows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.test import Client

from inventory.drivers.values import AddressList, Inventory, Rule
from inventory.models import Vm
from tests.oracles.brute_force import ASKED, Judge, Question, Side
from tests.oracles.comparison import imported
from tests.oracles.worlds import ICMP, PORT_NUMBERS, random_world

pytestmark = [pytest.mark.oracle, pytest.mark.django_db]

#: How many tests, worlds of each, and questions about each.
TESTS, WORLDS, QUESTIONS = 10, 20, 10
LISTS = (
    AddressList("pl-known", "known", entries=("10.0.0.0/29", "fd00::/125", "192.0.2.0/24")),
    AddressList("pl-empty", "empty", entries=()),
    AddressList("pl-unread", "unread"),
    AddressList("pl-unread-too", "unread-too"),
)
FOREIGN = ("pl-gone", "210987654321/sg-1")
RANGES_ASKED = ("10.0.0.4/32", "10.0.0.0/28", "192.0.2.0/25", "0.0.0.0/0", "fd00::4/128", "fd00::/124", "::/0")
#: Of rules: nobody knows the first, and the second has no ports.
NO_SERVICES = (("none such", None, None), ("vrrp", 5, 5))


@pytest.mark.parametrize("test", range(TESTS))
def test_an_answer_is_known_only_if_every_completion_has_it(
    test: int, admin_client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.INVENTORY_FILES = tmp_path
    told: Counter[str] = Counter()
    for seed in range(test * WORLDS, (test + 1) * WORLDS):
        random = Random(seed)  # noqa: S311 - the same world for each seed
        world = _partly_unknown(random, random_world(random, ports=8, groups=4, rules=14))
        provider = imported(world, tmp_path)
        judge = Judge(world)
        for question in (_question(random, world) for _ in range(QUESTIONS)):
            answer = _ask(admin_client, question)
            assert answer["verdict"] == judge.verdict(question), (seed, question, answer)
            assert bool(answer["unknown"]) == (answer["verdict"] == "unknown"), (seed, question, answer)
            told[answer["verdict"]] += 1
        provider.delete()
    assert len(told) == 4, told  # all verdicts, or it would prove nothing


def _partly_unknown(random: Random, world: Inventory) -> Inventory:
    rules = tuple(_unclear(random, rule) if random.random() < 0.4 else rule for rule in world.rules)
    ports = tuple(
        replace(
            port,
            instance_ref=f"i{number // 2}",
            ip_addresses=random.choice((port.ip_addresses, (*port.ip_addresses, f"10.0.0.{number + 20}"))),
            allowed_address_pairs=random.choice(((), ("192.0.2.128/25",), ("10.0.0.4", "fd00::4"))),
        )
        for number, port in enumerate(world.ports)
    )
    return replace(world, rules=rules, ports=ports, address_lists=LISTS)


def _unclear(random: Random, rule: Rule) -> Rule:
    """The rule with a list, something of another account, or a service that nobody knows."""
    if random.random() < 0.2:
        protocol, port, end_port = random.choice(NO_SERVICES)
        return replace(rule, host_protocol=protocol, port=port, end_port=end_port)
    listed = random.choice((*LISTS, *LISTS, *FOREIGN))
    is_list = isinstance(listed, AddressList)
    return replace(
        rule,
        network_protocol=random.choice((None, rule.network_protocol)),
        source_group_ref=None,
        source_ip_range=listed.ref if is_list else listed,
        address_list_ref=listed.ref if is_list else None,
    )


def _question(random: Random, world: Inventory) -> Question:
    instances = sorted({port.instance_ref for port in world.ports})
    chosen = [random.choice(instances) for _ in range(2)]
    sides: list[Side] = [tuple(port for port in world.ports if port.instance_ref == ref) for ref in chosen]
    if random.random() < 0.5:
        sides[random.randrange(2)] = random.choice(RANGES_ASKED)
    protocol = random.choice((None, "tcp", *ASKED))
    numbers = {"tcp": PORT_NUMBERS, "udp": PORT_NUMBERS, **dict(ICMP.values())}.get(protocol or "", ())
    return Question(*sides, protocol, random.choice((None, *numbers)))


def _ask(client: Client, question: Question) -> dict[str, Any]:
    ids = dict(Vm.objects.values_list("ems_ref", "pk"))
    sides = {"from": question.source, "to": question.target}
    parameters = {
        name: side if isinstance(side, str) else f"instances/{ids[side[0].instance_ref]}"
        for name, side in sides.items()
    }
    service = {"protocol": question.protocol, "port": question.port}
    parameters |= {name: str(value) for name, value in service.items() if value is not None}
    answer = client.get("/api/reachability", parameters)
    assert answer.status_code == 200, answer.content
    data: dict[str, Any] = answer.json()
    return data
