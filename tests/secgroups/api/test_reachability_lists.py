"""`GET /api/reachability` with one side: the instances at the other one."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from inventory.models import NetworkPort
from secgroups.analysis import messages, one_side, unknown
from secgroups.api import reachability_list
from secgroups.models import Membership, SecurityGroup
from tests import cast
from tests.readers import reader_of
from tests.secgroups.api.test_reachability import Company, ask

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return Company()


@pytest.fixture
def client(admin_client: Client) -> Client:
    return admin_client


def to_store(company: Company, **parameters: Any) -> dict[str, Any]:
    return {"to": f"instances/{company.store.vm_id}", "protocol": "tcp", "port": 5432, **parameters}


def hrefs(answer: dict[str, Any]) -> list[str]:
    return [resource["href"].removeprefix("http://testserver/api/") for resource in answer["resources"]]


class TestInstances:
    def test_it_lists_who_can_reach_an_instance(self, client: Client, company: Company) -> None:
        company.rule(company.web, "outbound", source_ip_range="10.0.0.0/8")
        company.rule(company.db, source_security_group=company.web)
        answer = ask(client, **to_store(company))
        assert (answer["name"], answer["from"], answer["to"]["name"]) == ("reachability", None, "production-store")
        assert (answer["count"], answer["subcount"], answer["pages"]) == (1, 1, 1)
        assert hrefs(answer) == [f"instances/{company.app.vm_id}"]
        assert "count_at_least" not in answer

    def test_it_lists_what_an_instance_can_reach(self, client: Client, company: Company) -> None:
        company.rule(company.web, "outbound", source_ip_range="10.0.0.0/8")
        company.rule(company.db, source_security_group=company.web)
        answer = ask(client, **{"from": f"instances/{company.app.vm_id}", "protocol": "tcp"})
        assert hrefs(answer) == [f"instances/{company.store.vm_id}"]
        assert answer["to"] is None

    def test_an_expanded_instance_says_which_services_pass_and_why(self, client: Client, company: Company) -> None:
        outbound = company.rule(company.web, "outbound", host_protocol=None, port=None, end_port=None)
        inbound = company.rule(company.db, source_ip_range="10.0.0.1/32")
        asked = {"to": f"instances/{company.store.vm_id}", "expand": "resources", "attributes": "name"}
        [resource] = ask(client, **asked)["resources"]
        assert resource["name"] == "production-app"
        assert resource["services"] == [
            {"network_protocol": "IPV4", "host_protocol": "tcp", "port": 5432, "end_port": 5432}
        ]
        rules = {reason["firewall_rule"]["id"] for reason in resource["because_of"]}
        assert rules == {str(outbound.pk), str(inbound.pk)}

    def test_the_internet_can_be_the_only_side(self, client: Client, company: Company) -> None:
        company.rule(company.db, source_ip_range="0.0.0.0/0")
        company.rule(company.web, source_ip_range="10.0.0.0/8")
        answer = ask(client, **{"from": "internet", "protocol": "tcp", "port": 5432})
        assert hrefs(answer) == [f"instances/{company.store.vm_id}"]
        assert (answer["from"], answer["ranges"]) == ({"name": "internet"}, [])

    def test_a_port_without_port_security_is_listed(self, client: Client, company: Company) -> None:
        company.rule(company.db)
        NetworkPort.objects.filter(pk=company.app.pk).update(port_security_enabled=False)
        assert hrefs(ask(client, **to_store(company))) == [f"instances/{company.app.vm_id}"]


class TestRanges:
    def test_they_are_what_the_rules_name_besides_groups(self, client: Client, company: Company) -> None:
        company.rule(company.db, source_security_group=company.web)
        rule = company.rule(company.db, source_ip_range="192.0.2.0/24")
        [shown] = ask(client, **to_store(company))["ranges"]
        assert shown["source_ip_range"] == "192.0.2.0/24"
        assert [service["port"] for service in shown["services"]] == [5432]
        assert [reason["firewall_rule"]["id"] for reason in shown["because_of"]] == [str(rule.pk)]


class TestPages:
    @pytest.fixture
    def many(self, company: Company) -> Company:
        company.rule(company.web, "outbound")
        company.rule(company.db)
        for number in range(4):
            company.instance(f"more-{number}", company.web, f"10.0.1.{number}")
        return company

    def test_links_lead_to_every_instance_once(self, client: Client, many: Company) -> None:
        answer = ask(client, **to_store(many, limit=2))
        seen = hrefs(answer)
        while "next" in answer["links"]:
            answer = client.get(answer["links"]["next"]).json()
            seen += hrefs(answer)
        assert seen == hrefs(ask(client, **to_store(many)))
        assert len(seen) == len(set(seen)) == 5

    def test_filters_narrow_the_instances(self, client: Client, many: Company) -> None:
        answer = ask(
            client, **to_store(many, **{"filter[]": "name='*more*'", "sort_by": "name", "sort_order": "desc"})
        )
        assert answer["count"] == 4
        asked = {**to_store(many), "filter[]": "name='*more*'", "sort_by": "name", "sort_order": "desc"}
        shown = ask(client, **asked, expand="resources", attributes="name", limit=3)["resources"]
        assert [resource["name"] for resource in shown] == [f"production-more-{number}" for number in (3, 2, 1)]

    def test_counting_ends(self, client: Client, many: Company, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(one_side, "COUNTED", 3)
        monkeypatch.setattr(reachability_list, "COUNTED", 3)
        answer = ask(client, **to_store(many, limit=2))
        assert (answer["count"], answer["count_at_least"]) == (3, True)
        seen = hrefs(answer)
        while "next" in answer["links"]:
            answer = client.get(answer["links"]["next"]).json()
            seen += hrefs(answer)
        assert len(seen) == len(set(seen)) == 5
        sorted_by_name = ask(client, 400, **to_store(many, sort_by="name"))["error"]["message"]
        assert sorted_by_name.startswith("There are more than 3 instances,")
        assert "offset" in ask(client, 400, **to_store(many, offset=3, limit=2))["error"]["message"]

    @pytest.mark.parametrize("limit", [1, 2, 3, 4])
    def test_every_link_is_answered_with_a_whole_page(
        self, client: Client, many: Company, monkeypatch: pytest.MonkeyPatch, limit: int
    ) -> None:
        everything = hrefs(ask(client, **to_store(many)))
        monkeypatch.setattr(one_side, "COUNTED", 3)
        monkeypatch.setattr(reachability_list, "COUNTED", 3)
        links = ask(client, **to_store(many, limit=limit))["links"]
        for name in ("self", "first", "last"):
            answer = client.get(links[name]).json()
            offset = int(parse_qs(urlsplit(links[name]).query)["offset"][0])
            assert hrefs(answer) == everything[offset : offset + limit]
            assert ("next" in answer["links"]) == (offset + limit < len(everything))


class TestRefusals:
    @pytest.mark.parametrize(
        "wrong",
        [{"attributes": "foo"}, {"sort_by": "foo"}, {"hide": "foo"}, {"filter[]": "foo=1"}, {"port": "foo"}],
    )
    def test_what_is_wrong_is_told_before_anything_is_looked_up(
        self, client: Client, company: Company, wrong: dict[str, str]
    ) -> None:
        company.rule(company.db)
        with CaptureQueriesContext(connection) as queries:
            assert "foo" in ask(client, 400, **to_store(company, **wrong))["error"]["message"]
        assert not [query["sql"] for query in queries if "firewallrule" in query["sql"]]

    def test_nothing_is_read_of_a_side_without_a_service(self, client: Client, company: Company) -> None:
        with CaptureQueriesContext(connection) as queries:
            ask(client, 400, to="instances/1", protocol="foo", port="1")
        assert not [query["sql"] for query in queries if "inventory_vm" in query["sql"]]

    def test_hidden_resources_are_not_judged(self, client: Client, company: Company) -> None:
        company.rule(company.web, "outbound")
        company.rule(company.db)
        numbers = {}
        for hidden in ({}, {"hide": "resources"}):
            with CaptureQueriesContext(connection) as queries:
                answer = ask(client, **to_store(company, expand="resources", **hidden))
            assert (answer["count"], answer["subcount"]) == (1, 1)
            numbers["resources" in answer] = len(queries)
        assert numbers[False] < numbers[True]


class TestLimits:
    def test_a_large_side_is_refused(
        self, client: Client, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("secgroups.api.reachability.PORTS", 0)
        assert "more than 0 ports" in ask(client, 400, **to_store(company))["error"]["message"]

    def test_a_large_page_is_not_explained(
        self, client: Client, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reachability_list, "EXPLAINED", 0)
        company.rule(company.web, "outbound")
        company.rule(company.db)
        error = ask(client, 400, **to_store(company, expand="resources"))["error"]
        assert error["message"].startswith("With expand=resources")

    def test_two_sides_have_no_pages(self, client: Client, company: Company) -> None:
        asked = to_store(company, **{"from": "internet", "limit": 3})
        assert ask(client, 400, **asked)["error"]["message"].endswith("need one side alone: limit")

    def test_a_group_with_many_members_is_found_by_its_members(
        self, client: Client, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(one_side, "MEMBERS", 0)
        company.rule(company.web, "outbound")
        company.rule(company.db, source_security_group=company.web)
        answer = ask(client, **to_store(company, expand="resources"))
        assert hrefs(answer) == [f"instances/{company.app.vm_id}"]
        assert answer["resources"][0]["services"]
        Membership.objects.filter(network_port=company.app).delete()
        assert hrefs(ask(client, **to_store(company))) == []


class TestWhatIsNotKnown:
    def test_a_rule_of_the_named_side_is_told(self, client: Client, company: Company) -> None:
        rule = company.rule(company.db, network_protocol=None, source_ip_range="pl-1234")
        answer = ask(client, **to_store(company))
        [told] = answer["unknown"]
        assert told["firewall_rule"]["id"] == str(rule.pk)
        assert told["message"] == "The addresses of pl-1234 are not known."

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"source_ip_range": "pl-1234"}, "The addresses of pl-1234 are not known."),
            ({"host_protocol": "foo"}, "The protocol foo with port 5432 is not known."),
        ],
    )
    def test_a_rule_of_another_side_is_told(
        self, client: Client, company: Company, columns: dict[str, Any], message: str
    ) -> None:
        company.rule(company.db)
        rule = company.rule(company.web, "outbound", **columns)
        answer = ask(client, **to_store(company))
        assert answer["count"] == 0
        [told] = answer["unknown"]
        assert (told["firewall_rule"]["id"], told["message"]) == (str(rule.pk), message)
        assert told["security_group"]["name"] == "web"

    @pytest.mark.parametrize("change", [{"cloud_network": None}, {"ipaddresses": ["dhcp"]}])
    def test_a_port_of_which_too_little_is_known_is_told(
        self, client: Client, company: Company, change: dict[str, Any]
    ) -> None:
        company.rule(company.db)
        company.rule(company.web, "outbound")
        NetworkPort.objects.filter(vm=company.app.vm).update(**change)
        answer = ask(client, **to_store(company))
        assert answer["count"] == 0
        assert "whose addresses or network are not known" in answer["unknown"][0]["message"]

    def test_no_more_is_told_than_an_answer_names(
        self, client: Client, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(unknown, "NAMED", 2)
        NetworkPort.objects.filter(vm=company.app.vm).update(cloud_network=None)
        for number in range(3):
            company.rule(company.db, source_ip_range=f"pl-{number}")
        assert len(ask(client, **to_store(company))["unknown"]) == 2

    def test_a_group_with_too_many_members_is_told_where_any_of_them_may_be_meant(
        self, client: Client, company: Company, settings: Any
    ) -> None:
        settings.ANALYSIS_MEMBERS = 1
        company.instance("other", company.web, "10.0.0.9")
        rule = company.rule(company.db, source_security_group=company.web)
        asked = {"protocol": "tcp", "port": 5432}
        assert hrefs(ask(client, **asked, **{"from": "10.0.0.1"})) == [f"instances/{company.store.vm_id}"]
        answer = ask(client, **asked, **{"from": "10.0.0.0/8"})
        assert answer["count"] == 0
        [told] = answer["unknown"]
        assert told["firewall_rule"]["id"] == str(rule.pk)
        both = ask(client, **asked, **{"from": "10.0.0.0/8", "to": f"instances/{company.store.vm_id}"})
        assert both["verdict"] == "unknown"

    def test_what_is_known_is_not(self, client: Client, company: Company) -> None:
        company.rule(company.db, source_security_group=company.web)
        company.rule(company.web, "outbound")
        assert ask(client, **to_store(company))["unknown"] == []


class TestWhatIsOutside:
    """The user has every permission, and sees what belongs to the tenant of the company."""

    @pytest.fixture
    def reader(self, company: Company) -> User:
        return reader_of(company.web.cloud_tenant)

    @pytest.fixture
    def client(self, client: Client, reader: User) -> Client:
        client.force_login(reader)
        return client

    @pytest.fixture
    def hidden(self, company: Company) -> SecurityGroup:
        """A group of another tenant, which a rule of the company names."""
        other = cast.tenant(company.web.provider, "other")
        return cast.group(company.web.cloud_network, "secret", cloud_tenant=other)

    def test_a_hidden_group_at_the_other_side_of_a_rule_has_no_name(
        self, client: Client, company: Company, hidden: SecurityGroup
    ) -> None:
        company.rule(company.db)
        rule = company.rule(company.web, "outbound", source_security_group=hidden)
        answer = ask(client, **to_store(company))
        told = {each["message"] for each in answer["unknown"]}
        rules = {each["firewall_rule"]["id"] for each in answer["unknown"] if each["firewall_rule"]}
        assert (told, rules) == ({messages.HIDDEN_RULE}, {str(rule.pk)})
        assert "secret" not in str(answer)

    def test_a_group_that_may_not_be_viewed_has_no_name(self, client: Client, company: Company) -> None:
        other = User.objects.create_user("other")
        other.user_permissions.set(Permission.objects.exclude(codename="view_securitygroup"))
        client.force_login(other)
        SecurityGroup.objects.filter(pk=company.web.pk).update(name="secret")
        company.rule(company.db)
        company.rule(company.web, "outbound", source_ip_range="pl-1234")
        answer = ask(client, **to_store(company))
        assert messages.HIDDEN_RULE in {each["message"] for each in answer["unknown"]}
        assert "secret" not in str(answer)
