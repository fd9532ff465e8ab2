"""What an answer about one side reads, and how often."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import NetworkPort
from secgroups.analysis.covering import Covering, RuleSet
from secgroups.analysis.members import Members
from secgroups.analysis.networks import UNKNOWN, confining
from secgroups.analysis.one_side import OneSide
from secgroups.analysis.reachability import outside, resource
from secgroups.analysis.search import Place, places_of, providers_around
from secgroups.analysis.unknown import unknown_of
from secgroups.models import FirewallRule
from secgroups.traffic.addresses import networks
from secgroups.traffic.reachability import Realm
from secgroups.traffic.services import EVERY_SERVICE, Service
from tests import cast
from tests.queries import SUPERVISOR
from tests.secgroups.api.test_reachability import Company

pytestmark = pytest.mark.django_db

READS_ADDRESSES = re.compile(r'SELECT (DISTINCT )?"inventory_portaddress"')


@pytest.fixture
def company() -> Company:
    company = Company()
    company.rule(company.web, "outbound")
    company.rule(company.db, source_security_group=company.web)
    return company


def to_store(company: Company) -> OneSide:
    side = resource("instances", company.store.vm_id or 0, SUPERVISOR)
    assert side
    return OneSide(side, "inbound", Service("tcp", 5432, 5432), SUPERVISOR)


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


def test_without_a_rule_that_names_a_group_no_members_are_read(company: Company) -> None:
    FirewallRule.objects.update(source_security_group=None, source_ip_range="10.0.0.0/8")
    covering = Covering(RuleSet("inbound", "IPV4", EVERY_SERVICE, SUPERVISOR), networks("10.0.0.0/8"))
    found: list[Any] = []
    statements = queries(lambda: found.extend(covering.groups(EVERY_SERVICE)))
    assert found == [(None, {company.db.pk})]
    assert not any("portaddress" in sql or "membership" in sql for sql in statements)


def test_of_no_groups_no_members_are_read(company: Company) -> None:
    statements = queries(lambda: Members((), frozenset(), SUPERVISOR, among=networks("10.0.0.0/24")))
    assert not any(READS_ADDRESSES.match(sql) for sql in statements)


@pytest.mark.parametrize("side", ["10.0.0.0/8", "0.0.0.0/0", "internet"])
def test_the_addresses_of_all_members_are_never_read(company: Company, side: str) -> None:
    """Only a few ports are, and members of a group up to a bound."""
    NetworkPort.objects.filter(pk=company.app.pk).update(ipaddresses=["10.0.0.1", "9.9.9.9"])
    named = outside(side)
    assert named
    answer = OneSide(named, "outbound", Service("tcp", 5432, 5432), SUPERVISOR)
    assert answer.found().ids == [company.store.vm_id]
    statements = queries(lambda: answer.judged([company.store.vm_id or 0]))
    statements += queries(OneSide(named, "outbound", Service("tcp", 5432, 5432), SUPERVISOR).found)
    reads = filter(READS_ADDRESSES.match, statements)
    assert [sql for sql in reads if "LIMIT" not in sql] == []
