"""What a request may cost: queries, and calls of functions, which unlike times are the same on every machine.

The bounds have room, about a seventh: a release of Django may call some functions more. Who comes to one has made
each answer slower.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.client import ClientHandler
from django.test.utils import CaptureQueriesContext

from inventory import querysets
from inventory.db.statements import CompiledQuery
from inventory.models import NetworkPort, Vm
from inventory.rest.http.views import ApiView
from inventory.restrictions import Restriction
from inventory.services import issue_token
from secgroups.models import Membership
from settings.base import TOKEN_TTL
from tests.cast import Cast
from tests.contracts import everything_to_see

ROWS = 200


@pytest.fixture
def inventory(cast: Cast) -> None:
    """200 VMs more, with a port each and two groups on each port."""
    site, common = cast.production, {"provider": cast.acme, "cloud_tenant": cast.tenant}
    vms = Vm.objects.bulk_create(
        Vm(**common, ems_ref=f"i-{number}", name=f"vm-{number:03}") for number in range(ROWS)
    )
    ports = NetworkPort.objects.bulk_create(
        NetworkPort(**common, ems_ref=f"eni-{vm.pk}", vm=vm, cloud_network=site.network) for vm in vms
    )
    Membership.objects.bulk_create(
        Membership(security_group=group, network_port=port, vm_id=port.vm_id)
        for port in ports
        for group in (site.default, site.web)
    )


@pytest.fixture
def get(inventory: None, client: Client, django_user_model: type[User]) -> Callable[[str], Any]:
    """A GET by token, of a user who may see everything and is no superuser."""
    reader = everything_to_see(django_user_model.objects.create_user("reader"))
    token = issue_token(user=reader, ttl=TOKEN_TTL["api"], group=None, by=None)[1]

    def get(path: str) -> Any:
        answer = client.get(path, headers={"X-Auth-Token": token})
        assert answer.status_code == HTTPStatus.OK
        return answer

    return get


def calls(do: Callable[[], Any]) -> int:
    """How many functions are called, those of C included, once everything is loaded."""
    do()
    count = 0

    def count_calls(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count_calls)
    try:
        do()
    finally:
        sys.setprofile(before)
    return count


#: Each with the queries beside that for the token, its user and what they may.
READS = {
    "list": ("/api/instances?expand=resources", 1),
    "page": ("/api/instances?expand=resources&limit=50", 1),
    "filtered": ("/api/instances?expand=resources&limit=50&filter[]=name='vm-01*'", 1),
    "parameter": ("/api/instances?expand=resources&limit=50&name=vm-007", 1),
    "filtered page": ("/api/instances?expand=resources&limit=5&filter[]=name='vm-01*'", 2),
    "embedded": ("/api/instances?expand=resources,security_groups", 2),
    "one": ("/api/instances/{pk}", 1),
    "one embedded": ("/api/instances/{pk}?expand=security_groups", 2),
    "below": ("/api/instances/{pk}/security_groups?expand=resources", 1),
    "one below": ("/api/instances/{pk}/security_groups/{group}", 1),
}


@pytest.mark.parametrize("read", READS)
def test_a_read_is_as_few_queries(get: Any, cast: Cast, read: str) -> None:
    path, queries = READS[read]
    url = path.format(pk=Vm.objects.get(name="vm-007").pk, group=cast.production.web.pk)
    get(url)
    with CaptureQueriesContext(connection) as captured:
        get(url)
    assert len(captured) <= 1 + queries, "\n".join(query["sql"] for query in captured)


@pytest.fixture
def change(inventory: None, client: Client, django_user_model: type[User]) -> Callable[..., Any]:
    """A POST by token that adds groups to an instance, of a user who is no superuser."""
    changer = everything_to_see(django_user_model.objects.create_user("changer"))
    changer.user_permissions.add(Permission.objects.get(codename="change_vm_security_groups"))
    token = issue_token(user=changer, ttl=TOKEN_TTL["api"], group=None, by=None)[1]
    path = f"/api/instances/{Vm.objects.get(name='vm-007').pk}/security_groups"

    def change(*names: str) -> Any:
        body = {"action": "add", "resources": [{"name": name} for name in names]}
        answer = client.post(path, body, content_type="application/json", headers={"X-Auth-Token": token})
        assert answer.status_code == HTTPStatus.OK
        return answer

    return change


def test_a_change_is_accepted_by_as_few_statements(change: Any) -> None:
    """The token, the instance, the groups that it may mean, and the task, without a transaction around them."""
    change("web")
    with CaptureQueriesContext(connection) as captured:
        change("web", "group that is not there")
    assert len(captured) <= 4, "\n".join(query["sql"] for query in captured)


#: Calls of a change without its message, as multiples of those of the control below, and for each further one.
MOST_OF_A_CHANGE = 3.7
MOST_OF_ANOTHER = 265


def test_a_change_is_accepted_by_as_few_calls(change: Any, get: Any) -> None:
    assert calls(lambda: change("web")) <= MOST_OF_A_CHANGE * calls(lambda: get(CONTROL))


@pytest.mark.parametrize("name", ["group that is not there", "web"])
def test_another_change_is_as_few_calls(change: Any, name: str) -> None:
    few, many = (calls(partial(change, "web", *[name] * more)) for more in (1, 101))
    assert (many - few) / 100 <= MOST_OF_ANOTHER


@pytest.fixture
def restrict(monkeypatch: pytest.MonkeyPatch, cast: Cast) -> Callable[[int], None]:
    """Restricts everybody to 50 providers: the one that has everything, and others from a number on."""

    def restrict(first: int) -> None:
        restriction = Restriction((cast.acme.pk, *range(first, first + 49)))
        monkeypatch.setattr(querysets, "restriction_of", lambda *args: restriction)

    return restrict


@pytest.mark.parametrize("read", READS)
def test_a_restricted_read_is_the_same_statements_with_other_values(
    get: Any, cast: Cast, restrict: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    """As many queries, and where one is kept it is not made again for a user with other providers."""
    path, queries = READS[read]
    url = path.format(pk=Vm.objects.get(name="vm-007").pk, group=cast.production.web.pk)
    unrestricted = get(url).content
    restrict(1_000)
    assert get(url).content == unrestricted
    made: list[CompiledQuery] = []
    monkeypatch.setattr(CompiledQuery, "__init__", lambda self, *args, **kwargs: made.append(self))
    restrict(2_000)
    with CaptureQueriesContext(connection) as captured:
        assert get(url).content == unrestricted
    assert len(captured) <= 1 + queries, "\n".join(query["sql"] for query in captured)
    assert made == []


#: Calls of a restricted read, as multiples of those of an unrestricted one.
MOST_OF_RESTRICTED = 1.1


@pytest.mark.parametrize("read", ["one", "page", "filtered", "parameter", "list"])
def test_a_restricted_read_is_hardly_more_calls(get: Any, restrict: Callable[[int], None], read: str) -> None:
    url = READS[read][0].format(pk=Vm.objects.get(name="vm-007").pk)
    unrestricted = calls(lambda: get(url))
    restrict(1_000)
    assert calls(lambda: get(url)) <= MOST_OF_RESTRICTED * unrestricted


#: Calls of a whole request, as multiples of those of the control: a view that neither logs in nor reads anything.
MOST = {
    "postgresql": {"one": 2, "page": 2.2, "filtered": 2.4, "parameter": 2.3},
    "sqlite": {"one": 2, "page": 4.2, "filtered": 2.8, "parameter": 2.3},
}
CONTROL = "/api/product_info"


@pytest.mark.parametrize("read", ["one", "page", "filtered", "parameter"])
def test_a_read_is_as_few_calls(get: Any, read: str) -> None:
    url = READS[read][0].format(pk=Vm.objects.get(name="vm-007").pk)
    assert calls(lambda: get(url)) <= MOST[connection.vendor][read] * calls(lambda: get(CONTROL))


#: Calls for each further resource of a list; on SQLite Django converts each time and each UUID.
MOST_OF_A_ROW = {"postgresql": {"list": 0.5, "embedded": 8}, "sqlite": {"list": 42, "embedded": 112}}


@pytest.mark.parametrize("read", ["list", "embedded"])
def test_a_row_is_as_few_calls(get: Any, read: str) -> None:
    path = READS[read][0]
    few, many = calls(lambda: get(f"{path}&limit=50")), calls(lambda: get(f"{path}&limit=150"))
    assert (many - few) / 100 <= MOST_OF_A_ROW[connection.vendor][read]


def test_what_was_read_is_gone_with_its_answer_and_not_when_the_collector_comes(
    inventory: None, admin_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[Any]] = []
    finalized = ApiView.finalize_response

    def finalize_response(*args: Any, **kwargs: Any) -> Any:
        answer = finalized(*args, **kwargs)
        made.append(weakref.ref(answer))
        return answer

    monkeypatch.setattr(ApiView, "finalize_response", finalize_response)
    _, token = issue_token(user=admin_user, ttl=TOKEN_TTL["api"], group=None, by=None)
    asked = RequestFactory().get("/api/instances?expand=resources", headers={"X-Auth-Token": token})
    gc.collect()
    gc.disable()
    try:
        assert len(ClientHandler()(asked.environ).content) > ROWS
        assert [answer() for answer in made] == [None]
    finally:
        gc.enable()
