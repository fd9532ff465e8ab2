"""What lies outside a user's restriction is not there for them: no row, name or number of it is in any answer.

Everything is asked twice, without the other rows and with them, and has to be answered the same: that finds what
shows something of them. A read that starts from all rows and happens to show nothing is found by its statement,
which lacks the number that each restriction here has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from itertools import product
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.db.events import NOBODY, Cause, because
from inventory.models import Grant, Instance, NetworkPort, Provider, Task, Vm
from inventory.querysets import ResourceQuerySet
from inventory.rest.resources import Costly, RelatedCount, ResourceType, get_resource_type
from inventory.rest.routers import viewset_of
from inventory.restrictions import Restriction, permissions_of, restriction_by
from inventory.services import cause_of_task, record_event
from secgroups.admin import SecurityGroupAdmin
from secgroups.admin.explained import ExplainedAdmin
from secgroups.analysis.reachability import LOOKUPS
from secgroups.exposures import settle_exposures
from secgroups.models import Membership, SecurityGroup
from tests.cast import Planted, group, plant, port, public_rule
from tests.moments import BEGINNING, moment
from tests.readers import CHANGING

pytestmark = pytest.mark.walk

#: A provider that nobody has. A statement that has this number asked for the scope.
MARK = 987_654_321
SCOPED = [
    model
    for app in ("inventory", "secgroups")
    for model in apps.get_app_config(app).get_models()
    if isinstance(queryset := model._default_manager.all(), ResourceQuerySet) and queryset.provider
]
TABLES = re.compile("|".join(f'"{name}"' for name in {*(m._meta.db_table for m in SCOPED), "inventory_tally"}))
#: Addresses of `costly` attributes, and of questions about reachability. They tell that something lies outside.
COSTLY = re.compile(r"attributes=(effective_rules|exposed_services|used_by)\b")
REACHABILITY = re.compile(r"/reachability/?\?")
#: Values of the filter parameters that are no attributes.
PARAMETERS = {"exposed": ("any", "21", "22", "443"), "unused": ("true", "false")}
#: The statements that need not ask for the scope, by the addresses where they need not, and why. `<ids>` are those
#: that another statement found, and `<connected>` are all providers but those that are being deleted.
EXEMPT = {
    "": {
        r'SELECT "inventory_provider"."credentials" AS "credentials" FROM "inventory_provider" WHERE '
        r'"inventory_provider"."id" = \d+ LIMIT 21': "a deferred column of the provider that the page is of",
        r'SELECT \(?(SELECT json_group_array|ARRAY).* FROM "auth_user" WHERE "auth_user"."id" = \(?\d+\)?': (
            "the rights of the reader"
        ),
    },
    "/grant/": {
        r'SELECT .* FROM "inventory_cloudtenant" WHERE "inventory_cloudtenant"."id" IN \(\d+\) ORDER BY '
        r'"inventory_cloudtenant"."name" ASC': "the tenant of a grant that the page is of",
    },
    REACHABILITY.pattern: {
        r'SELECT "secgroups_membership"."network_port_id" AS "network_port", '
        r'"secgroups_membership"."security_group_id" AS "security_group" FROM "secgroups_membership" WHERE '
        r'"secgroups_membership"."network_port_id" <ids>': "the groups of ports that the reader sees",
        r'SELECT (DISTINCT )?"secgroups_membership"."security_group_id" AS "security_group"[^()]* FROM '
        r'"secgroups_membership" .*"secgroups_membership"."security_group_id" <ids>.*': (
            "which addresses are meant where a rule names one of these groups"
        ),
        r'SELECT "secgroups_securitygroup"."id" AS "pk"[^()]* FROM "secgroups_securitygroup" .*'
        r'"secgroups_securitygroup"."id" <ids>.*': "where they are, and whether they have many members",
        r'SELECT "inventory_cloudnetwork"."id" AS "pk", "inventory_cloudnetwork"."provider_id" AS "provider" FROM '
        r'"inventory_cloudnetwork" WHERE "inventory_cloudnetwork"."id" <ids> ORDER BY .*': (
            "the providers of networks that are peered with those of the ports"
        ),
        r'SELECT "inventory_provider"."id" AS "pk", "inventory_provider"."vendor" AS "vendor" FROM '
        r'"inventory_provider" WHERE \(?(<connected>|"inventory_provider"."id" <ids>)\)? ORDER BY '
        r'"inventory_provider"."id" ASC': "whether their clouds confine groups to networks",
        r'SELECT "inventory_networkport"."id" AS "pk" FROM "inventory_networkport" WHERE .*'
        r'"inventory_networkport"."vm_id" IS NOT NULL.* LIMIT 1': (
            "whether a port is not known or not seen, which is one sentence, or has no port security"
        ),
        r'SELECT .* FROM "inventory_vm" WHERE .*"inventory_vm"."id" <ids>\) ORDER BY "inventory_vm"."id" ASC': (
            "the instances that were found among those that the reader sees"
        ),
    },
}
#: That a provider is connected, and what `<ids>` is, on SQLite and on PostgreSQL.
CONNECTED = (
    r'NOT EXISTS ?\(SELECT [^()]*"inventory_provider"."deleted_on" IS NOT NULL[^()]*\) OR '
    r'"inventory_provider"."id" (NOT IN|<> ALL) ?\([^()]*(\(SELECT [^()]*\))?[^()]*\)'
)
IDS = r"(IN \(SELECT value FROM json_each\('\[[\d, ]*\]'\)\)|= \(?ANY\('\{[\d,]*\}'[^)]*\)\)?)"


@pytest.fixture
def reader(django_user_model: type[User]) -> User:
    """A user of the API and of the admin who may do everything, and is no superuser."""
    user = django_user_model.objects.create_user("reader", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


@pytest.fixture
def client(client: Client, reader: User) -> Client:
    client.force_login(reader)
    return client


@pytest.fixture
def kept(reader: User) -> Planted:
    """What the reader is to see."""
    planted = plant("kept")
    group(planted.network, "kept-unused", cloud_tenant=planted.tenant)
    public = group(planted.network, "kept-public", cloud_tenant=planted.tenant)
    public_rule(public, 443, "8.8.8.0/24", description="kept")
    reached = port(planted.vm, planted.network, "kept-reached", groups=[public])
    change(reached, ipaddresses=["10.0.0.2"], public_ipaddresses=["52.0.0.2"])
    settle_exposures(planted.provider.pk)
    Task.objects.create(name="kept", queue="vms/1", provider=planted.provider, vm=planted.vm, state="Finished")
    Task.objects.create(name="own", queue="vms/1", provider=planted.provider, owner=reader, state="Finished")
    return planted


@pytest.fixture
def all_rights(settings: Any) -> Iterator[None]:
    """A role that permits everything, so that every page can be walked."""
    names = Permission.objects.values_list("content_type__app_label", "codename")
    settings.ROLES = {"all": [f"{app}.{codename}" for app, codename in names]}
    for cached in (permissions_of, restriction_by):
        cached.cache_clear()
    yield
    for cached in (permissions_of, restriction_by):
        cached.cache_clear()


@pytest.fixture(params=["providers", "tenants"])
def kind(request: pytest.FixtureRequest, all_rights: None, reader: User, kept: Planted) -> str:
    """To what the reader is restricted, by grants. One is on a provider that nobody has."""
    scopes: list[dict[str, int]] = [
        {"provider_id": MARK},
        {"provider_id": kept.provider.pk}
        | ({"cloud_tenant_id": kept.tenant.pk} if request.param == "tenants" else {}),
    ]
    group = Group.objects.create(name="readers")
    Grant.objects.bulk_create(Grant(group=group, role="all", **scope) for scope in scopes)
    reader.groups.add(group)
    return str(request.param)


@pytest.fixture
def others(kind: str, kept: Planted) -> Callable[[], Planted]:
    """Makes what lies outside: of another provider, or of another tenant; linked to what does not."""

    def make() -> Planted:
        meadow = plant("meadow", kept.provider if kind == "tenants" else None)
        Task.objects.create(name="meadow", queue="vms/2", provider=meadow.provider, vm=meadow.vm, state="Finished")
        Membership.objects.create(security_group=kept.db, network_port=meadow.port, vm=kept.vm)
        Membership.objects.create(security_group=meadow.db, network_port=kept.port, vm=kept.vm)
        unused = SecurityGroup.objects.get(name="kept-unused")
        port(None, meadow.network, "meadow-balancer", groups=[unused])
        change(meadow.rule, source_security_group=unused)
        public_rule(meadow.db, 22, description="meadow")
        settle_exposures(meadow.provider.pk)
        addresses = {"ipaddresses": ["10.9.9.9", "52.9.9.9"], "public_ipaddresses": ["52.9.9.9"]}
        change(
            meadow.port, vm=kept.vm, cloud_network=kept.network, allowed_address_pairs=["10.9.0.0/16"], **addresses
        )
        change(meadow.port, port_security_enabled=False)
        kept.network.peers.add(meadow.network)
        change(meadow.db, cloud_network=kept.network)
        kept.db.shared_with.add(meadow.tenant)
        if kind == "providers":  # else they would be the reader's
            for row in (meadow.network, meadow.db, meadow.vm):
                change(row, cloud_tenant=kept.tenant)
            change(meadow.rule, security_group=kept.web)
        return meadow

    return make


def change(row: Model, **attributes: Any) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(**attributes)


# --- The walk ---


def addresses(resource_type: ResourceType, rows: Sequence[Any]) -> Iterator[str]:
    """What can be asked of a collection, and of these of its resources."""
    url, meaning = f"/api/{resource_type.name}", costly(resource_type)
    computed = resource_type.computed_names.difference(meaning)
    everything = ",".join([*resource_type.columns, *computed, *resource_type.relations])
    below = ",".join(resource_type.subcollections)
    for parameters in ("", "offset=1", "limit=1", "after=0", "hide=resources", "sort_by=id"):
        yield f"{url}?{parameters}"
    yield f"{url}?attributes={everything}&expand=resources,{below}"
    yield from (f"{url}?{parameters}&expand=resources" for parameters in filters(resource_type))
    yield from (f"{url}?attributes={name}&expand=resources" for name in meaning)
    for row in rows:
        yield f"{url}/{row.pk}"
        yield f"{url}/{row.pk}?attributes={everything}&expand={below}"
        for name in resource_type.subcollections:
            for parameters in ("expand=resources", "limit=1&filter[]=id>0", "offset=1"):
                yield f"{url}/{row.pk}/{name}?{parameters}"


def filters(resource_type: ResourceType) -> Iterator[str]:
    """By what stands in other tables."""
    for name in viewset_of(resource_type.name).filters:
        yield from (f"{name}={value}" for value in PARAMETERS[name])
    for name in totals(resource_type):
        yield f"sort_by={name}"
        yield from (f"filter[]={name}={number}" for number in range(4))
    for name in resource_type.lists:
        yield from (f"filter[]={name}{condition}" for condition in ("=NULL", "!=NULL", "='10.9*'"))
    for name, relation in resource_type.relations.items():
        target = get_resource_type(relation.collection)
        for attribute in {"name", "ems_ref"} & target.columns.keys():
            for condition in ("='*meadow*'", "=NULL", "!='kept'"):
                yield f"filter[]={name}.{attribute}{condition}"
        yield from (f"filter[]={name}.{total}=1" for total in totals(target))


def costly(resource_type: ResourceType) -> list[str]:
    """What rules mean. It tells that something lies outside, because nothing unknown may read as nothing."""
    return [name for name, computed in resource_type.computed.items() if isinstance(computed, Costly)]


def totals(resource_type: ResourceType) -> list[str]:
    return [name for name, computed in resource_type.computed.items() if isinstance(computed, RelatedCount)]


def lists_of_reachability(reader: User) -> Iterator[str]:
    """Who can reach what the user sees, and what that can reach."""
    sides = ["internet", "8.8.8.8", "10.9.9.9", "0.0.0.0/0"]
    for name in LOOKUPS:
        rows = get_resource_type(name).queryset.visible_to(reader).order_by("pk")
        sides += [f"{name}/{row.pk}" for row in rows]
    for side, name in product(sides, ("from", "to")):
        yield f"/api/reachability?{name}={side}&expand=resources"


def api(client: Client, reader: User) -> Iterator[tuple[str, Any]]:
    """Each address with its answer."""
    yield "/api", client.get("/api?attributes=all")
    for url in lists_of_reachability(reader):
        yield url, client.get(url)
    for resource_type in map(get_resource_type, settings.COLLECTIONS):
        rows = list(resource_type.queryset.visible_to(reader).order_by("pk"))
        for url in dict.fromkeys(addresses(resource_type, rows)):
            yield url, client.get(url)
        url = f"/api/{resource_type.name}"
        for address in (url, *(f"{url}/{row.pk}" for row in rows[:1])):
            yield f"OPTIONS {address}", client.options(address)
            yield f"HTML {address}", client.get(address, headers={"Accept": "text/html"})
        body = {"action": "query", "resources": [{"id": pk} for pk in range(1, 20)]}
        yield f"POST {url}", client.post(url, body, "application/json")


def page_of(model: Any, page: str, *args: Any, **query: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args, query=query)


def pages(model: type[Model], reader: User) -> Iterator[str]:
    """What the admin has of a model: its lists in each order, its pages, and where their links lead."""
    model_admin = admin.site.get_model_admin(model)
    yield page_of(model, "changelist", q="e")
    yield from (page_of(model, "changelist", o=column) for column in range(len(model_admin.list_display) + 4))
    rows: Any = model._default_manager.all()
    # A provider that is only named has no page.
    for row in rows.visible_to(reader, "inventory.view_provider" if model is Provider else None).order_by("pk"):
        for page in ("change", "history", *(["delete"] if model is Provider else [])):
            yield page_of(model, page, row.pk)
        for link in (*getattr(model_admin, "counts", ()), *getattr(model_admin, "links", ())):
            yield link.url(row)


def admin_site(client: Client, reader: User) -> Iterator[tuple[str, Any]]:
    """Each page with its answer."""
    listed = [
        model for model in admin.site._registry if isinstance(model._default_manager.all(), ResourceQuerySet)
    ]
    urls = [reverse("admin:index"), *(url for model in listed for url in pages(model, reader))]
    urls += [page_of(SecurityGroup, "changelist", unused=value) for value in PARAMETERS["unused"]]
    for model in (Vm, Instance):
        chosen = ",".join(str(vm.pk) for vm in model.objects.visible_to(reader))
        urls += [page_of(model, f"{action}_groups", ids=chosen) for action in ("add", "remove")]
        urls += [
            page_of(SecurityGroup, "reachability", **{side: f"vms/{vm.pk}", other: "10.9.9.9"})
            for vm in model.objects.visible_to(reader)
            for side, other in (("from", "to"), ("to", "from"))
        ]
    for url in urls:
        yield url, client.get(url)


WALKS = pytest.mark.parametrize("walk", [api, admin_site])


# --- What must hold ---


@WALKS
def test_every_answer_is_as_without_what_lies_outside_and_asks_for_the_scope(
    walk: Any, client: Client, reader: User, others: Callable[[], Planted], monkeypatch: pytest.MonkeyPatch
) -> None:
    for model_admin in (ExplainedAdmin, SecurityGroupAdmin):  # they tell of more, as `costly` attributes do
        monkeypatch.setattr(model_admin, "explain", lambda *args: {})
    without = {url: text_of(answer) for url, answer in walk(client, reader)}
    assert [url for url, text in without.items() if not text.startswith("200 ")] == []
    others()
    different, elsewhere, walked = [], set(), walk(client, reader)
    while True:
        with CaptureQueriesContext(connection) as queries:
            url, answer = next(walked, (None, None))
        if url is None:
            break
        if COSTLY.search(url):
            continue
        if not REACHABILITY.search(url):
            different += [url] if text_of(answer) != without[url] else []
        elsewhere |= {f"{url}: {query['sql']}" for query in queries if starts_elsewhere(query["sql"], url)}
    assert different == []
    assert elsewhere == set()


def text_of(answer: Any) -> str:
    return CHANGING.sub("", f"{answer.status_code} {answer.content.decode()}")


def starts_elsewhere(sql: str, url: str) -> bool:
    """Whether it reads rows that a restriction is about, and not by one."""
    if str(MARK) in sql or not TABLES.search(sql):
        return False
    exempt = (pattern for where, patterns in EXEMPT.items() if re.search(where, url) for pattern in patterns)
    return not any(
        re.fullmatch(pattern.replace("<ids>", IDS).replace("<connected>", CONNECTED), sql) for pattern in exempt
    )


@WALKS
def test_what_a_row_names_outside_is_not_named_to_the_user(
    walk: Any, client: Client, reader: User, kept: Planted, others: Callable[[], Planted]
) -> None:
    meadow = others()
    change(kept.rule, source_security_group=meadow.web, source_address_list=meadow.address_list)
    for row in (kept.vm, kept.port, kept.web, kept.network) if kept.provider != meadow.provider else ():
        change(row, cloud_tenant=meadow.tenant)
    for row in (kept.port, kept.web):
        change(row, cloud_network=meadow.network)
    change(Task.objects.get(name="kept"), vm=meadow.vm, owner=reader)
    shown = {url: text_of(answer) for url, answer in walk(client, reader)}
    assert [url for url, text in shown.items() if "meadow" in text.replace("*meadow*", "")] == []


@pytest.mark.parametrize("collection", settings.COLLECTIONS)
def test_nothing_outside_can_be_asked_for(
    collection: str, client: Client, reader: User, others: Callable[[], Planted]
) -> None:
    others()
    resource_type, url = get_resource_type(collection), f"/api/{collection}"
    seen = resource_type.queryset.visible_to(reader).values("pk")
    for row in resource_type.queryset.exclude(pk__in=seen) if resource_type.queryset.provider else ():
        below = [f"{url}/{row.pk}/{name}" for name in resource_type.subcollections]
        answers = [client.get(address) for address in (f"{url}/{row.pk}", *below)]
        for action in viewset_of(collection).declared_actions():
            if action.detail:
                answers.append(client.post(f"{url}/{row.pk}", {"action": action.url_path}, "application/json"))
                body = {"action": action.url_path, "resources": [{"id": row.pk}]}
                [result] = client.post(url, body, "application/json").json()["results"]
                assert (result["success"], f"'id'={row.pk}" in result["message"]) == (False, True), result
        assert {answer.status_code for answer in answers} == {HTTPStatus.NOT_FOUND}
        assert not any("meadow" in answer.content.decode() for answer in answers)


def test_no_change_names_what_lies_outside(client: Client, kept: Planted, others: Callable[[], Planted]) -> None:
    meadow = others()
    groups_of_vm = f"/api/instances/{kept.vm.pk}/security_groups"
    groups = f"/api/providers/{kept.provider.pk}/security_groups"
    rule = {"direction": "inbound", "source_security_group_id": meadow.web.pk}
    listed = {"direction": "inbound", "source_address_list_id": meadow.address_list.pk}
    changes: list[tuple[str, dict[str, Any]]] = [
        (groups_of_vm, {"action": "add", "id": meadow.web.pk}),
        (groups_of_vm, {"action": "remove", "id": meadow.db.pk}),
        (groups_of_vm, {"action": "add", "name": "kept-web", "ports": [str(meadow.port.pk)]}),
        (f"/api/security_groups/{kept.web.pk}/firewall_rules", {"action": "create", **rule}),
        (f"/api/security_groups/{kept.web.pk}/firewall_rules", {"action": "create", **listed}),
        (groups, {"action": "create", "name": "new", "cloud_tenant": {"id": str(meadow.tenant.pk)}}),
        (groups, {"action": "create", "name": "new", "cloud_network": {"id": str(meadow.network.pk)}}),
    ]
    for url, body in changes:
        answer = client.post(url, body, "application/json")
        if answer.status_code != HTTPStatus.NOT_FOUND:  # the provider, to who is restricted to a tenant
            assert [one["success"] for one in answer.json()["results"]] == [False], answer.json()
        assert "meadow" not in answer.content.decode()
    assert not Task.objects.filter(state="Queued").exists()


def test_no_revert_names_what_lies_outside(
    client: Client, kind: str, reader: User, kept: Planted, others: Callable[[], Planted]
) -> None:
    """Neither what a task of one's own was about, nor who is in the way of another one."""
    meadow = others()
    outside, own = (
        Task.objects.create(
            name="own", queue=f"vms/{at.vm.pk}", provider=at.provider, vm=at.vm, owner=reader, state="Finished"
        )
        for at in (meadow, kept)
    )
    by_kept_port = {"security_group": kept.web, "network_port": kept.port}
    for task, memberships in (
        (outside, Membership.objects.filter(vm=meadow.vm)),
        (own, Membership.objects.filter(**by_kept_port)),
    ):
        with transaction.atomic(), because(cause_of_task(task)):
            assert memberships.delete()[0]
    change(kept.web, cloud_tenant=None)  # so that the event has none
    with transaction.atomic(), because(Cause("PORTCULLIS", "meadow")):
        Membership.objects.create(vm=kept.vm, **by_kept_port)
    for task, status in ((outside, HTTPStatus.FORBIDDEN), (own, HTTPStatus.BAD_REQUEST)):
        for body in ({"action": "revert"}, {"action": "revert", "dry_run": True}):
            answer = client.post(f"/api/tasks/{task.pk}", body, "application/json")
            assert answer.status_code == status, answer.content
            # Who sees all of a provider sees also the events that are of no tenant.
            is_named = "meadow" in answer.content.decode()
            assert is_named == (task == own and kind == "providers"), answer.content
    assert not Task.objects.filter(state="Queued").exists()


def test_rules_and_members_that_lie_outside_are_unknown(
    client: Client, kind: str, kept: Planted, others: Callable[[], Planted]
) -> None:
    """`kept.port` has a group from outside, and `kept.db` a member outside."""
    meadow = others()
    change(meadow.rule, security_group=meadow.db)
    change(kept.port, ipaddresses=["10.0.0.1"])
    answer = client.get(f"/api/network_ports/{kept.port.pk}?attributes=effective_rules").json()
    lines = {
        (line["direction"], line["source_name"], _text(line["addresses"])) for line in answer["effective_rules"]
    }
    unknown = {(direction, "outside your grants", None) for direction in ("inbound", "outbound")}
    assert lines == {("inbound", None, None), ("inbound", None, "8.8.8.0/24"), *unknown}
    page = client.get(page_of(NetworkPort, "change", kept.port.pk)).content.decode()
    assert "outside your grants" in page
    assert "meadow" not in page
    reachability = client.get(f"/api/reachability?from=10.9.9.9&to=network_ports/{kept.port.pk}").json()
    assert reachability["verdict"] == "unknown"
    assert "meadow" not in str(reachability)


def test_lists_of_reachability_have_nothing_of_what_lies_outside_and_tell_of_it(
    client: Client, reader: User, others: Callable[[], Planted]
) -> None:
    """What is unknown is told there, and may be more than without what lies outside."""
    without = {url: client.get(url).json() for url in lists_of_reachability(reader)}
    others()
    for url, before in without.items():
        answer = client.get(url).json()
        assert len(answer.pop("unknown")) > len(before.pop("unknown")), url
        assert answer == before, url
    assert without["/api/reachability?from=8.8.8.8&expand=resources"]["resources"]


def test_the_past_has_nothing_of_what_lies_outside(
    client: Client, kind: str, kept: Planted, others: Callable[[], Planted]
) -> None:
    """`kept.vm` has a group from outside, which goes; `kept.db` has a member outside, who goes."""
    meadow = others()
    port(meadow.vm, kept.network, "meadow-member", groups=[kept.db])
    Provider.objects.update(known_since=BEGINNING)
    record_event("provider_refreshed", "Refreshed", NOBODY, provider=kept.provider)
    urls = (
        f"/api/instances/{kept.vm.pk}/security_groups",
        f"/api/vms/{kept.vm.pk}/security_groups",
        f"/api/security_groups/{kept.db.pk}/vms",
        f"/api/security_groups/{kept.db.pk}/instances",
        f"/api/security_groups/{kept.db.pk}/firewall_rules",
    )
    naming = public_rule(kept.db, 8443)
    change(naming, source_security_group=meadow.web)
    now = {url: client.get(url, {"expand": "resources"}).json()["resources"] for url in urls}
    assert all(now.values())
    then = moment().isoformat()
    meadow.db.delete()
    meadow.vm.delete()
    naming.delete()
    for url, resources in now.items():
        past = client.get(url, {"expand": "resources", "as_of": then})
        assert past.status_code == HTTPStatus.OK, past.json()
        assert "meadow" not in past.content.decode()
        assert {each["id"] for each in past.json()["resources"]} == {each["id"] for each in resources}


def _text(addresses: list[str] | None) -> str | None:
    return None if addresses is None else " ".join(addresses)


def test_own_tasks_are_there_wherever_they_lead(client: Client, kind: str) -> None:
    resources = client.get("/api/tasks?expand=resources&attributes=name").json()["resources"]
    assert {resource["name"] for resource in resources} == {"kept", "own"}


def test_an_operator_of_a_tenant_can_change_and_refresh_in_the_admin(
    client: Client, kind: str, kept: Planted
) -> None:
    url = page_of(Vm, "add_groups", ids=kept.vm.pk)
    assert client.post(url, {"groups": [kept.db.pk], "confirm": "Add"}).status_code == HTTPStatus.FOUND
    chosen = {"action": "refresh", "_selected_action": [kept.vm.pk]}
    assert client.post(page_of(Vm, "changelist"), chosen).status_code == HTTPStatus.FOUND
    queued = Task.objects.filter(state="Queued").order_by("pk").values_list("queue", flat=True)
    assert list(queued) == [f"vms/{kept.vm.pk}", f"providers/{kept.provider.pk}"]


def test_no_list_of_the_admin_tells_what_belongs_to_what_lies_outside(
    client: Client, kept: Planted, others: Callable[[], Planted]
) -> None:
    """`meadow.vm` has the reader's `db`, which a list filtered by it would show."""
    meadow = others()
    Membership.objects.filter(security_group=kept.db, network_port=meadow.port).update(vm=meadow.vm)
    found = {
        row.pk: client.get(page_of(SecurityGroup, "changelist", vms__id__exact=row.pk)).context["cl"].result_count
        for row in (kept.vm, meadow.vm)
    }
    assert found[kept.vm.pk] > 0
    assert found[meadow.vm.pk] == 0


def test_the_number_within_a_restriction_is_kept(kept: Planted, reader: User) -> None:
    plant("meadow", kept.provider)
    plant("other")
    for restriction, number in (
        (Restriction((kept.provider.pk, MARK)), 2),
        (Restriction((), (kept.tenant.pk,)), 1),
        (Restriction((Provider.objects.get(name="other").pk,), (kept.tenant.pk,)), 2),
        (Restriction(), 0),
    ):
        rows = Vm.objects.filter(restriction.condition("provider", "cloud_tenant").q())
        assert rows.count() == len(rows) == number
        assert rows.stored_count_query() is not None


def test_every_table_of_the_inventory_is_read_by_scope() -> None:
    """A model that is new has a queryset that says how its rows lead to a provider, or stands here."""
    others = {
        "AuthToken",
        "LimitedUser",
        "IdempotencyKey",
        "LoginFailure",
        "Tally",
        "Lease",
        "User",
        "Group",
        "Zone",
    }
    others |= {
        "EventPosition",
        "EventRetention",
        "GroupStamp",
        "OidcIdentity",
        "OidcSession",
        "PortAddress",
        "PublicPort",
        "RequestCount",
        "TemporaryMembership",
        "TouchedGroup",
    }
    models = {model for app in ("inventory", "secgroups") for model in apps.get_app_config(app).get_models()}
    assert {model.__name__ for model in models - set(SCOPED)} == others
