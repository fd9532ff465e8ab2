"""What a process keeps of the members of groups is always what the database has."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from random import Random
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from inventory.models import CloudNetwork, NetworkPort
from secgroups.analysis import known_members
from secgroups.analysis.known_members import KnownMembers, members_of
from secgroups.models import GroupStamp, Membership, SecurityGroup
from secgroups.tasks import fold_stamps
from tests import cast as actors
from tests.cast import Cast
from tests.e2e.service import until

#: More members than any group here has.
MANY = 100


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> known_members._Memory:
    """Without what other tests have left in it."""
    memory = known_members._Memory(1_000)
    monkeypatch.setattr(known_members, "_memory", memory)
    return memory


def told(members: KnownMembers | None) -> Any:
    return members and (
        {pk: sorted(ranges) for pk, ranges in members.by_network.items()},
        members.number,
        members.is_readable,
    )


def known(*groups: SecurityGroup, at_most: int = MANY) -> list[Any]:
    found = members_of({group.pk for group in groups}, at_most)
    return [told(found.get(group.pk)) for group in groups]


def read_anew(*groups: SecurityGroup) -> list[Any]:
    found = known_members._from_rows([group.pk for group in groups])
    return [told(found.get(group.pk, known_members.NOBODY)) for group in groups]


def reads(*groups: SecurityGroup, at_most: int = MANY) -> bool:
    """Whether to know the members of groups reads any."""
    with CaptureQueriesContext(connection) as captured:
        known(*groups, at_most=at_most)
    return any("ipaddresses" in query["sql"] for query in captured)


@pytest.fixture
def port(cast: Cast) -> NetworkPort:
    """With an address, and the group `web`, of which another port has one as well."""
    site = cast.production
    port, other = NetworkPort.objects.filter(cloud_network=site.network).order_by("pk")[:2]
    for number, each in enumerate((port, other)):
        NetworkPort.objects.filter(pk=each.pk).update(ipaddresses=[f"10.0.0.{number}"])
        Membership.objects.create(network_port=each, security_group=site.web, vm=each.vm)
    port.refresh_from_db()
    return port


def set_on(port: NetworkPort, **values: Any) -> None:
    NetworkPort.objects.filter(pk=port.pk).update(**values)


def of_web(port: NetworkPort) -> Membership:
    return Membership.objects.get(network_port=port, security_group__name="web")


CHANGES: dict[str, Callable[[NetworkPort], object]] = {
    "a membership ends": lambda port: of_web(port).delete(),
    "a membership begins": lambda port: Membership.objects.create(
        network_port=NetworkPort.objects.exclude(pk__in=[port.pk]).latest("pk"),
        security_group=of_web(port).security_group,
    ),
    "a membership moves to another port": lambda port: Membership.objects.filter(pk=of_web(port).pk).update(
        network_port=NetworkPort.objects.latest("pk")
    ),
    "a membership moves to another group": lambda port: Membership.objects.filter(pk=of_web(port).pk).update(
        security_group=SecurityGroup.objects.filter(name="db").latest("pk")
    ),
    "a port has another address": lambda port: set_on(port, ipaddresses=["10.0.0.77"]),
    "an address is translated": lambda port: set_on(port, public_ipaddresses=port.ipaddresses),
    "a port may send from others": lambda port: set_on(port, allowed_address_pairs=["10.1.0.0/16"]),
    "an address can't be read": lambda port: set_on(port, ipaddresses=["soon"]),
    "a port has another network": lambda port: set_on(
        port, cloud_network=CloudNetwork.objects.exclude(pk=port.cloud_network_id).latest("pk")
    ),
    "a network goes": lambda port: CloudNetwork.objects.get(pk=port.cloud_network_id).delete(),
    "a port goes": lambda port: port.delete(),
    "an instance goes": lambda port: port.vm and port.vm.delete(),
}
OTHERS: dict[str, Callable[[NetworkPort], object]] = {
    "a port has another name": lambda port: set_on(port, name="other"),
    "a port is saved": lambda port: port.save(),
    "another group has a member": lambda port: Membership.objects.create(
        network_port=port, security_group=SecurityGroup.objects.filter(name="db").latest("pk")
    ),
    "a membership has another instance": lambda port: Membership.objects.filter(pk=of_web(port).pk).update(
        vm=None
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_after_a_change_they_are_read_again(cast: Cast, port: NetworkPort, change: Callable[..., object]) -> None:
    web = cast.production.web
    before = known(web)
    assert before == read_anew(web)
    change(port)
    assert known(web) == read_anew(web) != before


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_without_one_they_are_read_once(cast: Cast, port: NetworkPort, change: Callable[..., object]) -> None:
    web = cast.production.web
    assert reads(web)
    assert not reads(web)
    change(port)
    assert not reads(web)


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_written_they_are_what_the_database_has(cast: Cast, port: NetworkPort, seed: int) -> None:
    """Also after changes that did not come to be."""
    rng = Random(seed)  # noqa: S311 - the same each time
    groups = list(SecurityGroup.objects.order_by("pk"))
    for _ in range(20):
        with transaction.atomic():
            for _ in range(rng.randrange(3)):
                _write(rng, groups)
                if rng.random() < 0.5:
                    assert known(*groups) == read_anew(*groups)
            transaction.set_rollback(rng.random() < 0.5)
        if rng.random() < 0.2:
            GroupStamp.objects.fold()
        assert known(*groups) == read_anew(*groups)


def _write(rng: Random, groups: list[SecurityGroup]) -> None:
    port = rng.choice(NetworkPort.objects.order_by("pk"))
    group = rng.choice(groups)
    if rng.random() < 0.5:
        set_on(port, ipaddresses=[f"10.0.0.{rng.randrange(3)}"])
    elif (membership := Membership.objects.filter(network_port=port, security_group=group)).exists():
        membership.delete()
    else:
        Membership.objects.create(network_port=port, security_group=group, vm=port.vm)


def test_of_more_than_a_reader_wants_nothing_is_known(cast: Cast, port: NetworkPort) -> None:
    web = cast.production.web
    assert known(web, at_most=1) == [None]
    assert not reads(web, at_most=1)
    assert known(web, at_most=2) == read_anew(web)
    assert known(web, at_most=1) == [None]
    of_web(port).delete()
    assert known(web, at_most=1) == read_anew(web)


def test_a_group_without_a_stamp_is_read_each_time(cast: Cast, port: NetworkPort) -> None:
    web = cast.production.web
    GroupStamp.objects.all().delete()
    assert reads(web)
    assert reads(web)
    assert known(web) == read_anew(web)


def test_what_changes_while_it_is_read_is_not_kept(
    cast: Cast, port: NetworkPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, read = cast.production.web, known_members._from_rows

    def late(groups: Any) -> Any:
        found = read(groups)
        of_web(port).delete()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(known_members, "_from_rows", late)
        known(web)
    assert known(web) == read_anew(web)


def test_stamps_are_folded(cast: Cast, port: NetworkPort) -> None:
    web = cast.production.web
    GroupStamp.objects.create(security_group=web, stamp=1)
    GroupStamp.objects.create(security_group_id=0, stamp=1)
    fold_stamps()
    assert GroupStamp.objects.filter(security_group=web).count() == 1
    assert not GroupStamp.objects.filter(security_group_id=0).exists()
    assert known(web) == read_anew(web)


def test_what_was_not_used_for_the_longest_time_is_forgotten() -> None:
    def kept(ranges: int) -> known_members._Kept:
        return known_members._Kept(1, KnownMembers({None: ((1, 1),) * ranges}))

    memory = known_members._Memory(12)
    for group in (1, 2, 3):
        memory.put(group, kept(3))
    assert memory.get(1)
    memory.put(4, kept(3))
    assert [group for group in (1, 2, 3, 4) if memory.get(group)] == [1, 3, 4]
    memory.put(3, kept(5))
    assert [group for group in (1, 3, 4) if memory.get(group)] == [3, 4]
    memory.put(5, kept(50))
    assert not any(map(memory.get, range(6)))


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite does not truncate")
def test_a_table_that_is_emptied_at_once_has_no_members(cast: Cast, port: NetworkPort) -> None:
    web = cast.production.web
    assert known(web) != [told(known_members.NOBODY)]
    connection.cursor().execute("TRUNCATE secgroups_membership")
    assert known(web) == [told(known_members.NOBODY)]


@pytest.mark.usefixtures("shared_database")
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_a_port_that_changes_while_it_gets_a_group_tells_that_group() -> None:
    """The membership waits for the port. Otherwise, the port would stamp only the groups that it had before."""
    site = actors.enter().production
    port = NetworkPort.objects.filter(cloud_network=site.network).latest("pk")

    def give() -> None:
        with closing(connection):
            Membership.objects.create(network_port=port, security_group=site.web, vm=port.vm)

    def look() -> None:
        with closing(connection):
            known(site.web)

    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic():
            set_on(port, ipaddresses=["10.0.0.77"])
            given = pool.submit(give)
            until(lambda: given.done() or _waits())
            pool.submit(look).result()
        given.result()
    assert known(site.web) == read_anew(site.web)


def _waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])
