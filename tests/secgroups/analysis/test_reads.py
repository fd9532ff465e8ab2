"""What an answer about one side reads, and how often."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import NetworkPort
from inventory.rest.resources import Viewer
from secgroups.analysis.networks import UNKNOWN, confining
from secgroups.analysis.one_side import OneSide
from secgroups.analysis.reachability import resource
from secgroups.analysis.search import Place, places_of, providers_around
from secgroups.analysis.unknown import unknown_of
from secgroups.traffic.reachability import Realm
from secgroups.traffic.services import Service
from tests import cast
from tests.secgroups.api.test_reachability import Company

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    company = Company()
    company.rule(company.web, "outbound")
    company.rule(company.db, source_security_group=company.web)
    return company


def to_store(company: Company) -> OneSide:
    viewer = Viewer(User.objects.get_or_create(username="viewer", is_superuser=True)[0])
    side = resource("instances", company.store.vm_id or 0, viewer)
    assert side
    return OneSide(side, "inbound", Service("tcp", 5432, 5432), viewer)


def queries(ask: Callable[[], Any]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        ask()
    return [query["sql"] for query in captured]


def test_doubts_are_looked_up_once_whatever_the_number_of_addresses(company: Company) -> None:
    numbers = []
    for addresses in (["10.0.0.2"], ["10.0.0.2", "10.0.0.3", "10.0.0.4"]):
        NetworkPort.objects.filter(pk=company.store.pk).update(ipaddresses=addresses)
        answer = to_store(company)
        assert answer.found().ids
        numbers.append(len(queries(partial(unknown_of, answer))))
    assert numbers[0] == numbers[1]


def test_places_are_looked_up_at_once_for_all_realms(company: Company) -> None:
    here = company.web.cloud_network
    assert here
    near, far = (cast.network(cast.tenant(here.provider, name), name) for name in ("near", "far"))
    here.peers.add(near)
    near.peers.add(here)
    realms = {Realm(here.provider_id, pk) for pk in (here.pk, near.pk, far.pk, UNKNOWN, None)}
    places: dict[Realm, Place] = {}
    assert len(queries(lambda: places.update(places_of(realms)))) == 1
    assert {realm.network: place.networks for realm, place in places.items()} == {
        here.pk: {here.pk, near.pk},
        near.pk: {here.pk, near.pk},
        far.pk: {far.pk},
        UNKNOWN: {UNKNOWN},
        None: None,
    }
    assert len(queries(lambda: providers_around(places))) == 1
    assert set(providers_around(places).values()) == {frozenset({here.provider_id})}


def test_a_second_page_looks_up_no_groups_again(company: Company) -> None:
    answer = to_store(company)
    assert any("firewallrule" in sql for sql in queries(answer.found))
    assert not any("firewallrule" in sql for sql in queries(lambda: answer.found(after=1, at_most=1)))


def test_one_query_tells_which_exported_clouds_confine_groups_to_networks(company: Company) -> None:
    providers = [cast.provider(f"exported-{number}", vendor=cast.FILE) for number in range(3)]
    confined = providers[1]
    network = cast.network(cast.tenant(confined), "network")
    cast.group(network, "group")
    for some in (providers[:2], providers):
        ids = [provider.pk for provider in some]
        assert len(queries(partial(confining, ids))) == 2
        assert confining(ids) == {confined.pk}
