"""The page that answers whether A can reach B."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory import querysets
from inventory.models import Instance, NetworkPort, Vm
from inventory.restrictions import Restriction
from secgroups.admin import reachability
from secgroups.analysis import questions
from secgroups.models import FirewallRule, SecurityGroup
from tests import cast

pytestmark = pytest.mark.django_db

#: What it takes to ask.
PERMISSIONS = ["view_vm", "view_securitygroup"]
IMPOSSIBLE = [
    "\0",
    "9" * 30,
    f"instances/{'9' * 18}",
    "instances/0",
    "instances/x",
    "/",
    "%",
    "_",
    "x" * 501,
    "::/0",
    "٣",
]


class Company:
    """The instance app at 10.0.0.1 with the group web, and store at 10.0.0.2 with db."""

    def __init__(self) -> None:
        production = cast.enter().production
        self.web, self.db = production.web, production.db
        self.app = self.instance("app", self.web, "10.0.0.1")
        self.store = self.instance("store", self.db, "10.0.0.2")

    def instance(self, name: str, group: SecurityGroup, address: str) -> Vm:
        vm = cast.vm(group.cloud_network, name, groups=[group])
        vm.network_ports.update(ipaddresses=[address])
        return vm

    def allow(self, group: SecurityGroup, direction: str, **columns: Any) -> FirewallRule:
        return FirewallRule.objects.create(
            provider=group.provider,
            ems_ref=f"sgr-{FirewallRule.objects.count()}",
            security_group=group,
            direction=direction,
            **{"network_protocol": "IPV4", "host_protocol": "tcp", "port": 5432, "end_port": 5432, **columns},
        )

    @property
    def question(self) -> dict[str, str]:
        """From app to store."""
        sides = {"from": f"instances/{self.app.pk}", "to": f"vms/{self.store.pk}"}
        return {**sides, "protocol": "tcp", "port": "5432"}


@pytest.fixture
def company(db: None) -> Company:
    return Company()


def url(**question: Any) -> str:
    return reverse("admin:secgroups_securitygroup_reachability", query=question)


def ask(client: Client, **question: Any) -> Any:
    answer = client.get(url(**question))
    assert answer.status_code == 200
    return answer


def errors(client: Client, **question: Any) -> dict[str, list[str]]:
    answer = ask(client, **question)
    assert "answer" not in answer.context
    found: dict[str, list[str]] = answer.context["form"].errors
    return found


class TestAnswers:
    def test_the_verdict_is_in_words_with_the_rules_of_both_ports(
        self, admin_client: Client, company: Company
    ) -> None:
        rules = [company.allow(company.web, "outbound"), company.allow(company.db, "inbound")]
        page = ask(admin_client, **company.question)
        answer, body = page.context["answer"], page.content.decode()
        assert (answer["verdict"], answer["missing"]) == ("allowed", [])
        assert "production-app can reach production-store on tcp 5432." in body
        [path] = answer["paths"].first
        assert (path.source.address, path.target.address, path.public) == ("10.0.0.1", "10.0.0.2", False)
        for rule, judged in zip(rules, (path.outbound, path.inbound), strict=True):
            assert judged.verdict == "allowed"
            assert [reason.rule for reason in judged.because_of.first] == [rule.pk]
            assert reverse("admin:secgroups_firewallrule_change", args=[rule.pk]) in body
        for port in NetworkPort.objects.filter(vm__in=[company.app, company.store]):
            assert reverse("admin:inventory_networkport_change", args=[port.pk]) in body

    def test_missing_rules_are_named_with_the_groups_that_can_have_them(
        self, admin_client: Client, company: Company
    ) -> None:
        company.allow(company.web, "outbound")
        page = ask(admin_client, **company.question)
        [missing] = page.context["answer"]["missing"]
        assert (missing.direction, missing.protocol, missing.ports) == ("inbound", "tcp IPV4", "5432")
        assert (missing.other_side, missing.groups) == ("10.0.0.1/32", [(company.db.pk, "db")])
        assert "1 rule is missing." in page.content.decode()

    def test_what_is_not_known_is_said(self, admin_client: Client, company: Company) -> None:
        company.allow(company.web, "outbound")
        rule = company.allow(company.db, "inbound", source_ip_range="pl-1")
        page = ask(admin_client, **company.question)
        assert page.context["answer"]["verdict"] == "unknown"
        [unknown] = page.context["answer"]["unknown"].first
        assert unknown.message == "The addresses of pl-1 are not known."
        assert [reason.rule for reason in unknown.because_of.first] == [rule.pk]

    def test_without_a_port_it_says_what_passes(self, admin_client: Client, company: Company) -> None:
        company.allow(company.web, "outbound", host_protocol=None, port=None, end_port=None)
        company.allow(company.db, "inbound")
        company.allow(company.db, "inbound", host_protocol="icmp", port=8, end_port=None)
        page = ask(admin_client, **{**company.question, "protocol": "", "port": ""})
        assert page.context["answer"]["verdict"] == "partly"
        assert "What passes: icmp IPV4 type 8; tcp IPV4 5432." in page.content.decode()

    def test_a_side_can_lie_outside(self, admin_client: Client, company: Company) -> None:
        company.allow(company.db, "inbound")
        page = ask(admin_client, **{**company.question, "from": "internet"})
        [path] = page.context["answer"]["paths"].first
        assert (path.source.name, path.outbound) == ("internet", None)
        assert page.context["answer"]["verdict"] == "allowed"

    def test_what_is_not_considered_is_said(self, admin_client: Client, company: Company) -> None:
        assert "route tables" in ask(admin_client, **company.question).content.decode()

    def test_of_many_paths_it_shows_the_first(
        self, admin_client: Client, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reachability, "ROWS", 1)
        company.store.network_ports.update(ipaddresses=["10.0.0.2", "10.0.0.3", "10.0.0.4"])
        page = ask(admin_client, **company.question)
        assert len(page.context["answer"]["paths"].first) == 1
        assert "And 2 more." in page.content.decode()

    def test_it_takes_no_more_queries_for_more_rules_and_ports(
        self, admin_client: Client, company: Company
    ) -> None:
        few = number_of_queries(admin_client, company)
        for number in range(4):
            group = cast.group(company.web.cloud_network, f"group-{number}")
            cast.port(company.store, company.web.cloud_network, f"eni-{number}", [group])
            company.allow(group, "inbound", source_security_group=company.web)
        company.store.network_ports.update(ipaddresses=["10.0.0.2"])
        assert number_of_queries(admin_client, company) == few

    def test_names_and_texts_are_escaped(self, admin_client: Client, company: Company) -> None:
        for model in (Vm, SecurityGroup, NetworkPort):
            model.objects.update(name="<b>x</b>")
        company.allow(company.db, "inbound", source_ip_range="<script>")
        company.allow(company.web, "outbound")
        for question in (company.question, {"from": "<b>x</b>", "to": "<b>", "protocol": "<b>x", "port": "<b>x"}):
            body = ask(admin_client, **question).content.decode()
            assert "&lt;b&gt;x" in body
            assert not any(raw in body for raw in ("<b>x", "<script>"))


def number_of_queries(client: Client, company: Company) -> int:
    company.allow(company.db, "inbound", source_security_group=company.web)
    ask(client, **company.question)
    with CaptureQueriesContext(connection) as queries:
        ask(client, **company.question)
    return len(queries)


class TestTheForm:
    def test_without_a_question_there_is_no_answer_and_no_error(self, admin_client: Client) -> None:
        page = ask(admin_client)
        assert not page.context["form"].errors
        assert "answer" not in page.context

    def test_with_one_side_the_other_is_still_to_be_asked(self, admin_client: Client, company: Company) -> None:
        page = ask(admin_client, **{"from": f"instances/{company.app.pk}"})
        assert not page.context["form"].errors
        assert f'value="instances/{company.app.pk}"' in page.content.decode()

    def test_an_instance_can_be_named(self, admin_client: Client, company: Company) -> None:
        company.allow(company.web, "outbound")
        page = ask(admin_client, **{**company.question, "from": "production-app", "to": "production-store"})
        assert page.context["answer"]["message"].startswith("production-app can't reach production-store")

    def test_of_several_instances_one_has_to_be_chosen(self, admin_client: Client, company: Company) -> None:
        page = ask(admin_client, **{**company.question, "from": "production-"})
        assert page.context["form"].errors["from"] == [
            "Choose one of these instances, or give its address in the API."
        ]
        [(field, choices), *_] = page.context["fields"]
        assert {name for _, name, _ in choices} >= {"production-app", "production-store"}
        link = next(link for link, name, _ in choices if name == "production-app")
        assert f"{field.name}=instances%2F{company.app.pk}" in link
        assert "answer" in admin_client.get(url() + link).context

    def test_two_instances_of_one_name_can_be_told_apart(self, admin_client: Client, company: Company) -> None:
        Vm.objects.update(name="same")
        page = ask(admin_client, **{**company.question, "to": "same"})
        assert "answer" not in page.context
        [_, (_, choices), *_] = page.context["fields"]
        assert {side for _, _, side in choices} == {
            f"instances/{pk}" for pk in Vm.objects.values_list("pk", flat=True)
        }

    @pytest.mark.parametrize(
        ("wrong", "field", "message"),
        [
            ({"from": ""}, "from", "This field is required."),
            ({"from": "instances/999"}, "from", "Couldn't find Instance with 'id'=999"),
            ({"to": "nowhere"}, "to", "The value nowhere of the parameter to is not an instance"),
            ({"to": "10.0.0.0/99"}, "to", "The value 10.0.0.0/99 of the parameter to is not an instance"),
            ({"protocol": "xyz"}, "protocol", "The value xyz of the parameter protocol is not a protocol"),
            ({"protocol": ""}, "port", "The parameter port needs a protocol"),
            ({"protocol": "gre"}, "port", "The parameter port needs a protocol"),
            ({"port": "65536"}, "port", "The value 65536 of the parameter port is not a port"),
            ({"from": "10.0.0.1", "to": "internet"}, "__all__", "At least one of from and to must be a resource"),
        ],
        ids=str,
    )
    def test_bad_input_is_an_error_at_its_field(
        self, admin_client: Client, company: Company, wrong: dict[str, str], field: str, message: str
    ) -> None:
        found = errors(admin_client, **{**company.question, **wrong})
        assert list(found) == [field]
        assert found[field][0].startswith(message)

    def test_of_too_many_pairs_a_smaller_side_has_to_be_chosen(
        self, admin_client: Client, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(questions, "PAIRS", 0)
        assert "Choose a smaller side" in errors(admin_client, **company.question)["__all__"][0]

    @pytest.mark.parametrize("parameter", ["from", "to", "protocol", "port"])
    def test_no_input_is_an_error_of_the_page(
        self, admin_client: Client, company: Company, parameter: str
    ) -> None:
        for value in IMPOSSIBLE:
            ask(admin_client, **{**company.question, parameter: value})


class TestRights:
    @pytest.fixture
    def staff(self, client: Client) -> User:
        """Somebody in the admin without any permission, who has logged in."""
        user = User.objects.create_user("sam", is_staff=True)
        client.force_login(user)
        return user

    def allow(self, user: User, *codenames: str) -> None:
        user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))

    @pytest.mark.parametrize("codenames", [(), ("view_securitygroup",), ("view_vm",)])
    def test_whoever_may_not_see_groups_and_instances_may_not_ask(
        self, client: Client, staff: User, company: Company, codenames: tuple[str, ...]
    ) -> None:
        self.allow(staff, *codenames)
        assert client.get(url(**company.question)).status_code == 403
        assert url() not in client.get(reverse("admin:index")).content.decode()

    def test_whoever_has_not_logged_in_is_asked_to(self, client: Client, db: None) -> None:
        assert client.get(url()).status_code == 302

    def test_whoever_may_see_them_is_led_there(self, client: Client, staff: User, company: Company) -> None:
        self.allow(staff, *PERMISSIONS)
        assert url() in client.get(reverse("admin:index")).content.decode()
        ask(client)

    def test_what_they_may_not_see_is_not_known(self, client: Client, staff: User, company: Company) -> None:
        rule = company.allow(company.db, "inbound")
        self.allow(staff, *PERMISSIONS, "view_networkport")
        page = ask(client, **{**company.question, "from": "10.0.0.9"})
        assert page.context["answer"]["verdict"] == "unknown"
        assert "outside your grants" in page.content.decode()
        assert reverse("admin:secgroups_firewallrule_change", args=[rule.pk]) not in page.content.decode()

    def test_instances_that_they_may_not_see_are_not_found_by_name(
        self, client: Client, staff: User, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.allow(staff, *PERMISSIONS)
        monkeypatch.setattr(querysets, "restriction_of", lambda *args: Restriction((987_654_321,)))
        page = ask(client, **{**company.question, "from": "production-"})
        assert "production-app" not in page.content.decode()

    @pytest.mark.parametrize("model", [Vm, Instance])
    def test_pages_of_what_can_be_a_side_lead_there(
        self, admin_client: Client, company: Company, model: type[Vm]
    ) -> None:
        name = f"{model._meta.model_name}s"
        page = admin_client.get(reverse(f"admin:inventory_{model._meta.model_name}_change", args=[company.app.pk]))
        tools = {tool.label: tool.url for tool in page.context["tools"]}
        assert tools["can it reach…?"] == url(**{"from": f"{name}/{company.app.pk}"})
        assert tools["can … reach it?"] == url(to=f"{name}/{company.app.pk}")
        port = company.app.network_ports.get()
        for row, side in ((port, f"network_ports/{port.pk}"), (company.web, f"security_groups/{company.web.pk}")):
            address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
            assert url(to=side) in [tool.url for tool in admin_client.get(address).context["tools"]]
