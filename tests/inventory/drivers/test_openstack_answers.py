"""What the OpenStack driver makes of a good status that comes with something else than what was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from inventory.drivers.boundary import fitted
from inventory.drivers.exceptions import (
    AnswerTooLarge,
    CloudError,
    CloudRefused,
    CloudUnavailable,
    CredentialsRefused,
    ForeignAnswer,
    NotAllowed,
)
from inventory.drivers.values import Group, Port, Scope, Tenant
from inventory.models import NetworkPort, Provider, Vm
from inventory.refresh import refresh
from secgroups.models import Membership, SecurityGroup
from tests import cast as actors
from tests.clouds import Clock, Grip
from tests.live.faults import Answer, Instead, running
from tests.live.openstack_fake import GROUP, OTHER, PORT, PROJECT, SERVER, FakeOpenStack
from tests.secgroups.carrying import carried_out, queue

pytestmark = pytest.mark.live

LOGIN_PAGE = b"<!doctype html><title>Log in</title>"
#: By what it is, a body with `KEY` for the one that the answer should have.
BODIES = {
    "a login page": LOGIN_PAGE.decode(),
    "nothing": "",
    "half an answer": '{"KEY": [{"id"',
    "a list": "[]",
    "null": "null",
    "an empty object": "{}",
    "null under its key": '{"KEY": null}',
    "an object under its key": '{"KEY": {"id": "x"}}',
    "things that are none": '{"KEY": [1]}',
    "things without an id": '{"KEY": [{"name": "x"}]}',
    "a next page without a marker": '{"KEY": [{"id": "x"}], "KEY_links": [{"rel": "next", "href": "http://x/"}]}',
    "a next page without an address": '{"KEY": [{"id": "x"}], "KEY_links": [{"rel": "next", "href": null}]}',
    "a next page nowhere": '{"KEY": [], "KEY_links": [{"rel": "next", "href": ""}]}',
    "a number too deep": '{"KEY": ' + "[" * 100_000,
}
#: What is asked for, and what its answer has.
LISTS = {
    "GET ports": "ports",
    "GET servers": "servers",
    "GET security-groups": "security_groups",
    "GET security-group-rules": "security_group_rules",
    "GET networks": "networks",
    "GET subnets": "subnets",
    "GET rbac-policies": "rbac_policies",
    "GET floatingips": "floatingips",
    "GET projects": "projects",
    "GET auth": "projects",
    "POST auth": "token",
}
#: Attributes that are no such thing as a list, an object or a number.
REFS = {"id", "project_id", "tenant_id", "device_id", "security_group_id", "remote_group_id"}


def answer(body: str, key: str = "", status: int = 200) -> Answer:
    return Answer(status, body.replace("KEY", key).encode(), "text/html")


@pytest.fixture
def cloud() -> Iterator[FakeOpenStack]:
    with running(FakeOpenStack()) as cloud:
        yield cloud


@pytest.fixture
def provider(cloud: FakeOpenStack, db: None, clock: Clock) -> Provider:
    keys = {"userid": "admin", "password": "secret"}
    kind = "openstack"
    return actors.provider("openstack", vendor=kind, url=cloud.url, credentials=keys)


class TestReading:
    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    @pytest.mark.parametrize("action", LISTS)
    def test_it_is_no_answer(self, cloud: FakeOpenStack, action: str, body: str) -> None:
        cloud.answer_with(action, answer(body, LISTS[action]))
        with pytest.raises(ForeignAnswer, match="did not return a valid response") as error:
            cloud.driver().inventory()
        assert not error.value.permanent

    @pytest.mark.parametrize("status", [202, 204, 300, 304])
    def test_nothing_with_another_good_status_is_no_answer(self, cloud: FakeOpenStack, status: int) -> None:
        cloud.answer_with("GET ports", Answer(status, b""))
        with pytest.raises(ForeignAnswer):
            cloud.driver().inventory()

    def test_a_service_that_does_not_tell_its_versions_is_asked_again(self, cloud: FakeOpenStack) -> None:
        driver = cloud.driver()
        cloud.answer_with("GET", *[answer(LOGIN_PAGE.decode())] * 9)
        with pytest.raises(ForeignAnswer, match="did not list its versions"):
            driver.inventory()
        cloud.relent("GET")
        assert driver.inventory().instances

    def test_a_version_of_nova_that_was_not_told_is_asked_for_again(self, cloud: FakeOpenStack) -> None:
        driver, scope = cloud.driver(), Scope("instance", SERVER)
        driver.groups_by_ref([GROUP])
        cloud.answer_with("GET", *[answer(LOGIN_PAGE.decode())] * 9)
        cloud.answer_with("GET ", *[answer(LOGIN_PAGE.decode())] * 9)
        assert driver.inventory_of(scope).instances
        cloud.relent("GET")
        cloud.relent("GET ")
        assert driver.inventory_of(scope).instances
        asked = [call.headers for call in cloud.calls if call.action == "GET servers"]
        assert [headers["X-OpenStack-Nova-API-Version"] for headers in asked] == ["2.47", "2.69"]

    @pytest.mark.parametrize(
        ("action", "body"),
        [
            ("GET security-group-rules", {"security_group_rules": [{"id": "x"}]}),
            ("GET subnets", {"subnets": [{"id": "x"}]}),
            ("GET rbac-policies", {"rbac_policies": [{"id": "x", "target_tenant": "y"}]}),
            ("GET floatingips", {"floatingips": [{"id": "x", "port_id": PORT}]}),
        ],
    )
    def test_a_thing_that_lacks_something_is_no_answer(self, cloud: FakeOpenStack, action: str, body: Any) -> None:
        cloud.answer_with(action, answer(json.dumps(body)))
        with pytest.raises(ForeignAnswer):
            cloud.driver().inventory()

    @pytest.mark.parametrize(
        ("action", "body"),
        [
            ("GET ports", {"ports": [{"id": "x", "security_groups": 5, "project_id": PROJECT}]}),
            ("GET servers", {"servers": [{"id": "x", "name": "x"}]}),
            ("GET servers", {"servers": [{"id": "x", "name": "x", "status": ["A"]}]}),
            ("GET security-groups", {"security_groups": [{"id": "x"}]}),
            ("GET networks", {"networks": [{"id": "x"}]}),
            ("GET projects", {"projects": [{"id": "x"}]}),
            ("GET ports", {"ports": [{"id": "x", "fixed_ips": [1], "project_id": PROJECT}]}),
            ("GET servers", {"servers": [{"id": "x", "name": "x", "status": "A", "flavor": "tiny"}]}),
        ],
    )
    def test_a_thing_with_an_odd_value_is_left_to_the_boundary(
        self, cloud: FakeOpenStack, action: str, body: Any
    ) -> None:
        cloud.answer_with(action, answer(json.dumps(body)))
        found = cloud.driver().inventory()
        things = (*found.ports, *found.instances, *found.groups, *found.networks, *found.tenants)
        assert "x" in {one.ref for one in things}

    @pytest.mark.parametrize("scope", [None, Scope("cloud_tenant", PROJECT)])
    @pytest.mark.parametrize("odd", [7, ["x"], {"x": 1}, True, None, "text"], ids=repr)
    @pytest.mark.parametrize(
        ("action", "attribute"),
        [
            *((action, "id") for action in LISTS if "auth" not in action and "subnets" not in action),
            *(("GET ports", name) for name in ("fixed_ips", "security_groups", "device_id", "project_id")),
            *(("GET ports", name) for name in ("allowed_address_pairs", "device_owner")),
            *(("GET floatingips", name) for name in ("port_id", "floating_ip_address")),
            *(("GET servers", name) for name in ("flavor", "status", "tenant_id", "name")),
            *(("GET security-groups", name) for name in ("project_id", "stateful", "name")),
            ("GET networks", "project_id"),
            ("GET rbac-policies", "target_tenant"),
            *(("GET security-group-rules", name) for name in ("security_group_id", "protocol", "remote_group_id")),
        ],
    )
    def test_one_odd_value_leaves_out_one_row(
        self, cloud: FakeOpenStack, action: str, attribute: str, odd: Any, scope: Scope | None
    ) -> None:
        """Whatever a list has beside it is read."""
        rule = {"id": "r-1", "security_group_id": GROUP, "direction": "ingress", "ethertype": "IPv4"}
        policy = {"id": "rbac-1", "object_id": OTHER, "target_tenant": PROJECT}
        floating = {"id": "f-1", "port_id": PORT, "floating_ip_address": "198.51.100.1"}
        network, project = {"id": "n-2", "name": "n", "project_id": PROJECT}, {"id": PROJECT, "name": "admin"}
        kinds = {
            "ports": cloud.port, "servers": cloud.servers[0], "security_groups": cloud.groups[0],
            "security_group_rules": rule, "rbac_policies": policy, "networks": network, "projects": project,
            "floatingips": floating,
        }  # fmt: skip
        key = LISTS[action]
        good = {**kinds[key], "id": "good"} if key != "projects" else project
        cloud.answer_with(action, answer(json.dumps({key: [good, {**kinds[key], attribute: odd}]})))
        driver = cloud.driver()
        found = fitted(driver.inventory_of(scope) if scope else driver.inventory())
        things = {
            "ports": found.ports, "servers": found.instances, "security_groups": found.groups,
            "projects": found.tenants, "security_group_rules": found.rules, "networks": found.networks,
            "rbac_policies": found.groups, "floatingips": found.instances,
        }  # fmt: skip
        wanted = {"projects": PROJECT, "rbac_policies": GROUP, "floatingips": SERVER}.get(key, "good")
        assert wanted in {one.ref for one in things[key]}
        apart = key in {"rbac_policies", "floatingips"}
        if attribute in REFS and not apart and not isinstance(odd, str | None):
            assert [misfit.left_out for misfit in found.misfits] == [True]
        if (attribute, odd) in [
            ("id", None),
            ("fixed_ips", "text"),
            ("allowed_address_pairs", "text"),
            ("target_tenant", 7),
            ("floating_ip_address", 7),
            ("floating_ip_address", None),
        ] and (not apart or attribute == "floating_ip_address"):
            assert [misfit.left_out for misfit in found.misfits] == [True]

    def test_a_page_that_was_read_already_is_an_error_at_once(self, cloud: FakeOpenStack) -> None:
        body = {"ports": [{"id": "x"}], "ports_links": [{"rel": "next", "href": "http://x/?marker=x"}]}
        cloud.answer_with("GET ports", *[answer(json.dumps(body))] * 9)
        with pytest.raises(CloudRefused, match="is endless"):
            cloud.driver().inventory()
        assert cloud.count("GET ports") == 2

    def test_a_list_goes_on_behind_an_empty_page(self, cloud: FakeOpenStack) -> None:
        for marker in ("a", "b"):
            links = [{"rel": "next", "href": f"http://x/?marker={marker}"}]
            cloud.answer_with("GET ports", answer(json.dumps({"ports": [], "ports_links": links})))
        assert [port.ref for port in cloud.driver().inventory().ports] == [PORT]
        assert cloud.count("GET ports") == 3

    @pytest.mark.parametrize("cut", [True, False])
    def test_a_list_of_projects_that_is_cut_short_is_no_list_of_all(self, cloud: FakeOpenStack, cut: bool) -> None:
        body = {"projects": [{"id": "p-1", "name": "one"}], "truncated": cut}
        cloud.answer_with("GET projects", answer(json.dumps(body)))
        assert (Tenant in cloud.driver().inventory().covered) == cut

    @pytest.mark.parametrize("action", [action for action in LISTS if "auth" not in action])
    @pytest.mark.parametrize(
        ("new", "asked", "error", "words"),
        [
            (lambda page: ["x", "y"], 2, CloudRefused, "refers back to an earlier one"),
            (lambda page: [], 101, CloudRefused, "101 pages in a row are empty"),
            (lambda page: [f"{page}-x", f"{page}-y"], 3, AnswerTooLarge, "CLOUD_LIST_SIZE"),
        ],
        ids=["nothing new", "nothing", "without end"],
    )
    def test_a_list_whose_next_page_is_always_another_ends(
        self,
        cloud: FakeOpenStack,
        action: str,
        new: Callable[[int], list[str]],
        asked: int,
        error: type[CloudError],
        words: str,
    ) -> None:
        key = LISTS[action]
        filling = {"network_id": "n", "cidr": "10.0.0.0/8", "object_id": "x", "security_group_id": "x"}
        for page in range(120):
            body = {
                key: [{"id": ref, "direction": "ingress", **filling} for ref in new(page)],
                f"{key}_links": [{"rel": "next", "href": f"http://x/?marker={page}"}],
            }
            cloud.answer_with(action, answer(json.dumps(body)))
        with pytest.raises(error, match=words):
            cloud.driver(list_size=5).inventory()
        assert cloud.count(action) == asked

    @pytest.mark.parametrize("status", [403, 404, 501])
    def test_an_extension_that_is_not_there_for_us_is_done_without(
        self, cloud: FakeOpenStack, status: int
    ) -> None:
        cloud.answer_with("GET rbac-policies", answer("{}", status=status))
        cloud.answer_with("GET floatingips", answer("{}", status=status))
        found = cloud.driver().inventory()
        assert [group.shared_with for group in found.groups] == [(), ()]
        assert [port.public_ip_addresses for port in found.ports] == [()]
        assert found.untold == {"shared_with", "public_ip_addresses"}

    @pytest.mark.parametrize("action", ["GET rbac-policies", "GET floatingips"])
    @pytest.mark.parametrize(("status", "error"), [(400, CloudRefused), (500, CloudUnavailable)])
    def test_an_extension_that_fails_is_not_done_without(
        self, cloud: FakeOpenStack, action: str, status: int, error: type[CloudError]
    ) -> None:
        cloud.answer_with(action, answer("{}", status=status))
        with pytest.raises(error):
            cloud.driver().inventory()

    def test_what_is_needed_is_not_done_without(self, cloud: FakeOpenStack) -> None:
        cloud.answer_with("GET security-groups", answer("{}", status=403))
        with pytest.raises(NotAllowed):
            cloud.driver().inventory()

    @pytest.mark.parametrize("pause", ["²", "9" * 400])
    def test_a_pause_that_is_none_is_none(self, cloud: FakeOpenStack, pause: str) -> None:
        cloud.answer_with("GET ports", Answer(429, b"{}", headers={"Retry-After": pause}))
        with pytest.raises(CloudError) as error:
            cloud.driver().inventory()
        assert (error.value.retry_after or 0) <= 3600

    def test_the_words_of_a_cloud_are_such_as_a_database_takes(self, cloud: FakeOpenStack) -> None:
        told = {"NeutronError": {"type": "x", "message": "no\0thing \ud800" + "x" * 100_000}}
        cloud.answer_with("GET ports", answer(json.dumps(told), status=400))
        with pytest.raises(CloudRefused, match="nothing \\?x") as error:
            cloud.driver().inventory()
        assert len(str(error.value)) < 3000


class TestRefreshing:
    @pytest.mark.parametrize("attribute", ["fixed_ips", "device_id", "security_groups", "network_id"])
    def test_a_row_with_an_odd_value_is_left_as_it_was(
        self, cloud: FakeOpenStack, provider: Provider, attribute: str
    ) -> None:
        refresh(provider, Grip())
        before = list(NetworkPort.objects.values()), list(Membership.objects.values())
        cloud.port = {**cloud.port, "name": "another", attribute: {"x": ["text"]}}
        cloud.servers[0]["name"] = "web-2"
        for scope in (None, Scope("cloud_tenant", PROJECT)):
            [misfit] = refresh(provider, Grip(), scope=scope).findings.misfits
            assert (misfit.ref, misfit.left_out) == (PORT, True)
            assert (list(NetworkPort.objects.values()), list(Membership.objects.values())) == before
        assert Vm.objects.get(provider=provider).name == "web-2"

    def test_a_group_of_a_project_that_is_none_is_left_as_it_was(
        self, cloud: FakeOpenStack, provider: Provider
    ) -> None:
        refresh(provider, Grip())
        cloud.groups[0]["project_id"] = [PROJECT]
        for scope in (None, Scope("cloud_tenant", PROJECT)):
            [misfit] = refresh(provider, Grip(), scope=scope).findings.misfits
            assert (misfit.ref, misfit.attribute) == (GROUP, "tenant_ref")
            assert SecurityGroup.objects.filter(ems_ref=GROUP).exists()

    @pytest.mark.parametrize("action", LISTS)
    def test_it_is_waited_for(self, cloud: FakeOpenStack, provider: Provider, action: str) -> None:
        cloud.answer_with(action, answer(LOGIN_PAGE.decode()), answer('{"KEY": null}', LISTS[action]))
        refresh(provider, Grip())
        assert Vm.objects.get(provider=provider).name == "web-1"

    def test_it_is_waited_for_no_longer_than_a_failure(
        self, cloud: FakeOpenStack, provider: Provider, clock: Clock
    ) -> None:
        cloud.answer_with("GET ports", *[answer(LOGIN_PAGE.decode())] * 99)
        with pytest.raises(ForeignAnswer):
            refresh(provider, Grip())
        assert sum(clock.pauses) <= 10
        provider.refresh_from_db()
        assert "login page" in (provider.last_refresh_error or "")


class TestFloatingAddresses:
    FLOATING = [
        {"id": "f-1", "port_id": PORT, "floating_ip_address": "198.51.100.1"},
        {"id": "f-2", "port_id": None, "floating_ip_address": "198.51.100.2"},
        {"id": "f-3", "port_id": "another", "floating_ip_address": "198.51.100.3"},
    ]
    SCOPES = (None, Scope("cloud_tenant", PROJECT), Scope("instance", SERVER), Scope("security_group", GROUP))

    @pytest.mark.parametrize("scope", SCOPES)
    def test_they_are_the_last_addresses_of_their_port(self, cloud: FakeOpenStack, scope: Scope | None) -> None:
        cloud.floating = self.FLOATING
        [port] = (cloud.driver().inventory_of(scope) if scope else cloud.driver().inventory()).ports
        assert (port.ip_addresses, port.public_ip_addresses) == (("10.0.0.1", "198.51.100.1"), ("198.51.100.1",))
        assert port.own_ip_addresses == ("10.0.0.1",)

    def test_those_of_single_ports_are_asked_for_by_the_port(self, cloud: FakeOpenStack) -> None:
        cloud.floating = self.FLOATING
        [port] = cloud.driver().inventory_of_ports([PORT]).ports
        assert port.public_ip_addresses == ("198.51.100.1",)
        [asked] = [call.path for call in cloud.calls if call.action == "GET floatingips"]
        assert f"port_id={PORT}" in asked

    def test_those_of_many_ports_are_all_asked_for(
        self, cloud: FakeOpenStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("inventory.drivers.openstack.CHUNK", 1)
        cloud.floating = self.FLOATING
        cloud.answer_with(
            "GET ports", answer(json.dumps({"ports": [cloud.port, {**cloud.port, "id": "another"}]}))
        )
        found = [port.public_ip_addresses for port in cloud.driver().inventory().ports]
        assert found == [("198.51.100.1",), ("198.51.100.3",)]
        [asked] = [call.path for call in cloud.calls if call.action == "GET floatingips"]
        assert "port_id=" not in asked

    def test_a_change_does_not_ask_for_them_and_keeps_them(self, cloud: FakeOpenStack, provider: Provider) -> None:
        cloud.floating = self.FLOATING
        refresh(provider, Grip())
        before = NetworkPort.objects.values("ipaddresses", "public_ipaddresses").get()
        assert before == {"ipaddresses": ["10.0.0.1", "198.51.100.1"], "public_ipaddresses": ["198.51.100.1"]}
        vm, asked = Vm.objects.get(provider=provider), cloud.count("GET floatingips")
        queue(vm, "add", "db")
        assert [task.status for task in carried_out(vm)] == ["Ok"]
        assert cloud.count("GET floatingips") == asked
        assert NetworkPort.objects.values("ipaddresses", "public_ipaddresses").get() == before

    @pytest.mark.parametrize("scope", SCOPES)
    def test_those_that_can_not_be_read_any_more_stay(
        self, cloud: FakeOpenStack, provider: Provider, scope: Scope | None
    ) -> None:
        cloud.floating = self.FLOATING
        refresh(provider, Grip())
        before = list(NetworkPort.objects.values())
        cloud.answer_with("GET floatingips", answer("{}", status=403))
        refresh(provider, Grip(), scope=scope)
        assert list(NetworkPort.objects.values()) == before
        cloud.floating = []
        refresh(provider, Grip(), scope=scope)
        assert NetworkPort.objects.get().ipaddresses == ["10.0.0.1"]
        assert NetworkPort.objects.get().public_ipaddresses == []

    def test_force_forgets_those_that_can_not_be_read(self, cloud: FakeOpenStack, provider: Provider) -> None:
        cloud.floating = self.FLOATING
        refresh(provider, Grip())
        cloud.answer_with("GET floatingips", answer("{}", status=404))
        refresh(provider, Grip(), force=True)
        assert NetworkPort.objects.get().public_ipaddresses == []

    def test_those_of_a_port_that_left_its_instance_stay_if_they_can_not_be_read(
        self, cloud: FakeOpenStack, provider: Provider
    ) -> None:
        cloud.floating = self.FLOATING
        refresh(provider, Grip())
        cloud.port["device_id"] = ""
        cloud.answer_with("GET floatingips", answer("{}", status=403))
        cloud.answer_with("GET ports", answer('{"ports": []}'))
        refresh(provider, Grip(), scope=Scope("instance", SERVER))
        port = NetworkPort.objects.get()
        assert (port.vm, port.public_ipaddresses) == (None, ["198.51.100.1"])


class TestWriting:
    @pytest.mark.parametrize("body", ["<html>", "", "{}", "[]", "null", '{"port": null}', '{"port": {}}'])
    @pytest.mark.parametrize("kind", [Answer, Instead])
    def test_a_write_is_resolved_by_reading(
        self, cloud: FakeOpenStack, provider: Provider, kind: type[Answer], body: str
    ) -> None:
        """Whether it was done, and answered by a page, or was not."""
        refresh(provider, Grip())
        vm = Vm.objects.get(provider=provider)
        cloud.answer_with("PUT ports", kind(200, body.encode()))
        queue(vm, "add", "db")
        [task] = carried_out(vm)
        assert (task.status, cloud.port["security_groups"]) == ("Ok", [GROUP, OTHER])
        assert cloud.count("PUT ports") == (1 if kind is Instead else 2)

    @pytest.mark.parametrize("page", [LOGIN_PAGE, b""])
    @pytest.mark.parametrize("status", [200, 202, 300, 304, 306, 399])
    def test_a_deletion_that_a_page_answers_is_not_taken_for_done(
        self, cloud: FakeOpenStack, status: int, page: bytes
    ) -> None:
        cloud.answer_with("DELETE security-groups", Answer(status, page))
        with pytest.raises(ForeignAnswer):
            cloud.driver().delete_group(OTHER)

    @pytest.mark.parametrize("status", [300, 304, 399])
    def test_what_comes_with_no_good_status_is_no_answer(self, cloud: FakeOpenStack, status: int) -> None:
        cloud.answer_with("GET ports", answer('{"ports": []}', status=status))
        with pytest.raises(ForeignAnswer, match=f"HTTP {status}"):
            cloud.driver().inventory()

    def test_what_was_made_has_to_be_told(self, cloud: FakeOpenStack) -> None:
        cloud.answer_with("POST security-groups", answer('{"security_group": {"name": "x"}}'))
        with pytest.raises(ForeignAnswer):
            cloud.driver().create_group(Group("", "x", tenant_ref=PROJECT))

    def test_an_answer_to_a_write_that_is_too_large_leaves_open_whether_it_was_done(
        self, cloud: FakeOpenStack
    ) -> None:
        cloud.answer_with("PUT ports", Instead(200, b" " * 2_000_000))
        with pytest.raises(CloudUnavailable, match="CLOUD_ANSWER_SIZE"):
            cloud.driver(answer_size=1).change_groups(Port(PORT), [GROUP])


class TestProjects:
    def chosen(self, cloud: FakeOpenStack, projects: Any, **connection: Any) -> str:
        cloud.projects = [{"id": ref, "name": name, "domain_id": domain} for ref, name, domain in projects]
        cloud.driver(**connection)._client  # noqa: B018 - logs in
        scopes = [call.body["auth"]["scope"] for call in cloud.calls if call.action == "POST auth"]
        return str(scopes[-1]["project"]["id"])

    TWINS = [("p-0", "admin", "other"), ("p-1", "admin", "default"), ("p-2", "admin", "third")]

    @pytest.mark.parametrize(("domain", "ref"), [(None, "p-1"), ("other", "p-0"), ("third", "p-2")])
    @pytest.mark.parametrize("project", [None, "admin"])
    def test_of_two_with_one_name_it_is_that_of_the_domain(
        self, cloud: FakeOpenStack, domain: str | None, ref: str, project: str | None
    ) -> None:
        assert self.chosen(cloud, self.TWINS, domain=domain, project=project) == ref

    def test_an_id_is_that_of_any_domain(self, cloud: FakeOpenStack) -> None:
        assert self.chosen(cloud, self.TWINS, project="p-2") == "p-2"

    def test_an_id_goes_before_a_name_that_looks_like_it(self, cloud: FakeOpenStack) -> None:
        assert self.chosen(cloud, [("p-0", "p-1", "default"), ("p-1", "x", "other")], project="p-1") == "p-1"

    def test_a_name_that_one_other_domain_has_is_taken(self, cloud: FakeOpenStack) -> None:
        assert self.chosen(cloud, [("p-0", "web", "other"), ("p-1", "x", "default")], project="web") == "p-0"

    @pytest.mark.parametrize("project", [None, "admin"])
    def test_which_of_several_is_meant_is_not_guessed(self, cloud: FakeOpenStack, project: str | None) -> None:
        with pytest.raises(CredentialsRefused) as refused:
            self.chosen(cloud, self.TWINS, domain="fourth", project=project)
        assert all(f"admin ({ref}, domain {domain})" in str(refused.value) for ref, _, domain in self.TWINS)

    def test_without_a_name_it_is_the_only_one(self, cloud: FakeOpenStack) -> None:
        assert self.chosen(cloud, [("p-7", "web", "other")]) == "p-7"

    def test_without_a_name_it_is_the_first_of_the_domain(self, cloud: FakeOpenStack) -> None:
        projects = [("p-6", "mail", "other"), ("p-7", "web", "default"), ("p-8", "db", "default")]
        assert self.chosen(cloud, projects) == "p-7"
        assert self.chosen(cloud, projects, domain="third") == "p-6"


class TestInterfaces:
    def test_the_endpoints_are_those_of_the_interface(self, cloud: FakeOpenStack) -> None:
        cloud.interfaces = ["internal"]
        assert cloud.driver(interface="internal").inventory().instances
        with pytest.raises(CloudRefused, match="has no endpoint"):
            cloud.driver().inventory()


class TestServersLeftOut:
    """Those of a cell that is down."""

    DOWN = {"id": SERVER, "status": "UNKNOWN", "tenant_id": PROJECT, "links": []}

    @pytest.mark.parametrize(("newest", "used"), [("2.96", "2.69"), ("2.69", "2.69"), ("2.68", "2.47")])
    def test_nova_is_asked_in_the_version_that_lists_them(
        self, cloud: FakeOpenStack, newest: str, used: str
    ) -> None:
        cloud.microversion = newest
        cloud.driver().inventory()
        [asked] = [call for call in cloud.calls if call.action == "GET servers"]
        assert asked.headers["X-OpenStack-Nova-API-Version"] == used

    def test_the_next_cloud_on_its_port_is_asked_for_its_own_versions(self) -> None:
        with running(FakeOpenStack()) as before:
            before.driver().inventory()
        with running(FakeOpenStack(), port=urlsplit(before.url).port or 0) as after:
            after.driver().inventory()
        assert "GET auth" in [call.action for call in after.calls]

    def test_nova_is_asked_without_what_makes_it_leave_them_out(self, cloud: FakeOpenStack) -> None:
        cloud.driver().inventory()
        assert "/v2.1/servers/detail?all_tenants=1" in [call.path for call in cloud.calls]

    def test_one_that_is_unknown_keeps_what_is_known(self, cloud: FakeOpenStack, provider: Provider) -> None:
        refresh(provider, Grip())
        before = Vm.objects.get(provider=provider)
        cloud.servers = [self.DOWN]
        refresh(provider, Grip())
        after = Vm.objects.get(provider=provider)
        assert (after.pk, after.name, after.flavor_name) == (before.pk, "web-1", "m")
        assert (after.power_state, after.raw_power_state) == ("unknown", "UNKNOWN")
        assert after.cloud_tenant == before.cloud_tenant
        assert [port.ems_ref for port in after.network_ports.all()] == [PORT]

    def test_a_new_one_is_named_by_its_id(self, cloud: FakeOpenStack, provider: Provider) -> None:
        cloud.servers = [self.DOWN]
        refresh(provider, Grip())
        vm = Vm.objects.get(provider=provider)
        assert (vm.name, vm.raw_power_state, vm.cloud_tenant.ems_ref) == (SERVER, "UNKNOWN", PROJECT)

    @pytest.mark.parametrize(
        "fault", [answer("{}", status=500), answer(LOGIN_PAGE.decode()), answer("{}", status=403)]
    )
    def test_one_that_is_not_listed_stays_unless_it_is_said_to_be_gone(
        self, cloud: FakeOpenStack, provider: Provider, fault: Answer
    ) -> None:
        refresh(provider, Grip())
        known = Vm.objects.get(provider=provider)
        cloud.answer_with("GET servers", answer('{"servers": []}'), *[fault] * 99)
        refresh(provider, Grip())
        assert (Vm.objects.get(provider=provider).pk, Vm.objects.get().raw_power_state) == (known.pk, "UNKNOWN")
        assert [port.ems_ref for port in known.network_ports.all()] == [PORT]

    def test_one_that_is_there_all_the_same_stays(self, cloud: FakeOpenStack, provider: Provider) -> None:
        refresh(provider, Grip())
        cloud.answer_with("GET servers", answer('{"servers": []}'))
        refresh(provider, Grip())
        assert Vm.objects.get(provider=provider).raw_power_state == "ACTIVE"

    def test_one_that_is_said_to_be_gone_goes(self, cloud: FakeOpenStack, provider: Provider) -> None:
        refresh(provider, Grip())
        cloud.servers = []
        refresh(provider, Grip(), force=True)
        assert not Vm.objects.filter(provider=provider).exists()

    def test_only_one_of_a_cell_that_is_down_is_asked_for(self, cloud: FakeOpenStack, provider: Provider) -> None:
        cloud.servers = [{**cloud.servers[0], "id": f"s-{number}"} for number in range(50)]
        refresh(provider, Grip())
        asked = cloud.count("GET servers")
        cloud.answer_with("GET servers", answer('{"servers": []}'))
        cloud.servers = [{**self.DOWN, "id": f"s-{number}"} for number in range(50)]
        refresh(provider, Grip())
        assert Vm.objects.filter(provider=provider, raw_power_state="UNKNOWN").count() == 50
        assert cloud.count("GET servers") - asked == 2
