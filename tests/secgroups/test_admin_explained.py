"""What pages of the admin say about the traffic that is let through, and about what uses a group."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import Instance, NetworkPort, Vm
from secgroups.admin import explained, exposures
from secgroups.exposures import settle_exposures
from secgroups.models import Exposure, FirewallRule, Membership, SecurityGroup
from tests import cast
from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast_(db: None) -> Cast:
    """`production-single` at 10.0.0.1 has `db`, which lets `web` use PostgreSQL; `production-double` has `web`."""
    entered = cast.enter()
    production = entered.production
    Membership.objects.all().delete()
    give(production.single, production.db, "10.0.0.1")
    give(production.double, production.web, "10.0.0.2")
    FirewallRule.objects.create(
        provider=entered.acme,
        ems_ref="sgr-1",
        security_group=production.db,
        direction="inbound",
        host_protocol="tcp",
        port=5432,
        end_port=5432,
        source_security_group=production.web,
    )
    return entered


@pytest.fixture
def staff(client: Client) -> User:
    """Somebody in the admin without any permission, who has logged in."""
    user = User.objects.create_user("sam", is_staff=True)
    client.force_login(user)
    return user


def give(vm: Vm, group: SecurityGroup, address: str) -> None:
    """Give the first port of an instance a group and an address."""
    port = vm.network_ports.order_by("pk")[0]
    Membership.objects.create(security_group=group, network_port=port, vm=vm)
    NetworkPort.objects.filter(pk=port.pk).update(ipaddresses=[address])


def allow(user: User, *codenames: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def page(model: type[Model], view: str = "changelist", *args: object, **query: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=args, query=query)


def look(client: Client, row: Model, model: type[Model] | None = None) -> Any:
    answer = client.get(page(model or type(row), "change", row.pk))
    assert answer.status_code == 200
    return answer


def rows(answer: Any) -> list[Any]:
    return list(answer.context["effective_rules"].first)


class TestEffectiveRules:
    @pytest.mark.parametrize("model", [Vm, Instance])
    def test_an_instance_shows_what_its_groups_let_through_and_why(
        self, admin_client: Client, cast_: Cast, model: type[Model]
    ) -> None:
        production, port = cast_.production, cast_.production.single.network_ports.get()
        answer = look(admin_client, production.single, model)
        [row] = rows(answer)
        assert (row.direction, row.protocol, row.ports, row.other_side) == ("inbound", "tcp", "5432", "web")
        assert (row.addresses.first, row.addresses.more) == (["10.0.0.2/32"], 0)
        body = answer.content.decode()
        rule = FirewallRule.objects.get()
        assert row.because_of.first == [(production.db.pk, "db", rule.pk)]
        for linked in (production.web, production.db, rule, port):
            assert f'<a href="{page(type(linked), "change", linked.pk)}">' in body

    def test_a_port_shows_its_own_and_a_group_its_own_alone(self, admin_client: Client, cast_: Cast) -> None:
        for row in (cast_.production.single.network_ports.get(), cast_.production.db):
            [line] = rows(look(admin_client, row))
            assert (line.other_side, line.addresses.first) == ("web", ["10.0.0.2/32"])

    def test_it_says_which_directions_are_closed(self, admin_client: Client, cast_: Cast) -> None:
        text = "No rule lets outbound traffic through."
        assert text in look(admin_client, cast_.production.single).content.decode()
        assert look(admin_client, cast_.production.web).context["closed"] == ["inbound", "outbound"]

    def test_a_port_without_port_security_says_so(self, admin_client: Client, cast_: Cast) -> None:
        NetworkPort.objects.update(port_security_enabled=False)
        assert "port security is off" in look(admin_client, cast_.production.single).content.decode()

    def test_a_group_without_members_is_not_one_that_is_not_known(self, admin_client: Client, cast_: Cast) -> None:
        Membership.objects.filter(security_group=cast_.production.web).delete()
        answer = look(admin_client, cast_.production.db)
        assert rows(answer)[0].addresses.first == []
        assert "<td>none</td>" in answer.content.decode()
        assert "not known" not in answer.content.decode()

    def test_what_is_not_known_is_said(self, admin_client: Client, cast_: Cast) -> None:
        FirewallRule.objects.update(source_security_group=None, source_ip_range="pl-1")
        answer = look(admin_client, cast_.production.db)
        assert (rows(answer)[0].other_side, rows(answer)[0].addresses) == ("pl-1", None)
        assert "<td>not known</td>" in answer.content.decode()

    def test_what_the_user_may_not_see_is_not_known(self, client: Client, staff: User, cast_: Cast) -> None:
        allow(staff, "view_vm")
        body = look(client, cast_.production.single).content.decode()
        assert "outside your grants" in body
        assert "5432" not in body

    def test_of_many_addresses_it_shows_the_first(self, admin_client: Client, cast_: Cast) -> None:
        many = [f"10.0.{number}.1" for number in range(100)]
        cast_.production.double.network_ports.update(ipaddresses=many)
        answer = look(admin_client, cast_.production.single)
        assert len(rows(answer)[0].addresses.first) == explained.ADDRESSES
        assert f"10.0.7.1/32 and {100 - explained.ADDRESSES} more" in answer.content.decode()

    def test_of_many_rules_it_shows_the_first(
        self, admin_client: Client, cast_: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(explained, "LINES", 2)
        for port in range(4):
            cast.rule(cast_.production.db, port)
        answer = look(admin_client, cast_.production.db)
        assert len(rows(answer)) == 2
        assert "And 3 more." in answer.content.decode()

    def test_of_many_reasons_it_shows_the_first(self, admin_client: Client, cast_: Cast) -> None:
        for port in range(explained.REASONS + 2):  # they contain the rule that is there, too
            cast.rule(cast_.production.db, port)
        FirewallRule.objects.filter(ems_ref__contains="-sg-").update(host_protocol=None, port=None, end_port=None)
        answer = look(admin_client, cast_.production.db)
        assert [row.because_of.more for row in rows(answer)] == [3]
        assert " and 3 more" in answer.content.decode()

    @pytest.mark.parametrize("bound", ["PORTS", "RULES"])
    def test_too_much_is_not_read(
        self, admin_client: Client, cast_: Cast, monkeypatch: pytest.MonkeyPatch, bound: str
    ) -> None:
        monkeypatch.setattr(explained, bound, 1)
        give(cast_.production.double, cast_.production.db, "10.0.0.3")
        cast.rule(cast_.production.db, 22)
        answer = look(admin_client, cast_.production.double)
        assert "effective_rules" not in answer.context
        assert "which is too much for a page" in answer.content.decode()

    @pytest.mark.parametrize("kind", ["single", "web", "port"])
    def test_a_page_takes_no_more_queries_for_more_rules_groups_and_members(
        self, admin_client: Client, cast_: Cast, kind: str
    ) -> None:
        production = cast_.production
        looked = {
            "single": production.single,
            "web": production.web,
            "port": production.single.network_ports.get(),
        }
        few = number_of_queries(admin_client, looked[kind])
        for number in range(4):
            group = cast.group(production.network, f"group-{number}")
            give(production.single, group, "10.0.0.1")
            give(production.double, group, "10.0.0.2")
            FirewallRule.objects.filter(pk=cast.rule(group, number).pk).update(source_security_group=group)
            cast.rule(production.web, number)
        assert number_of_queries(admin_client, looked[kind]) == few

    def test_names_are_escaped(self, admin_client: Client, cast_: Cast) -> None:
        SecurityGroup.objects.update(name="<b>web</b>")
        NetworkPort.objects.update(name="<i>port</i>")
        FirewallRule.objects.create(
            provider=cast_.acme,
            ems_ref="sgr-2",
            security_group=cast_.production.db,
            direction="inbound",
            source_ip_range="<script>",
        )
        body = look(admin_client, cast_.production.single).content.decode()
        assert "&lt;script&gt;" in body
        assert not any(raw in body for raw in ("<b>web", "<i>port", "<script>"))


def number_of_queries(client: Client, row: Model) -> int:
    look(client, row)
    with CaptureQueriesContext(connection) as queries:
        look(client, row)
    return len(queries)


class TestUse:
    def test_the_page_of_a_group_shows_what_uses_it(self, admin_client: Client, cast_: Cast) -> None:
        answer = look(admin_client, cast_.production.web)
        use = answer.context["used_by"]
        assert (use["network_ports"], use["vms"], use["firewall_rules"]) == (1, 1, 1)
        assert "launch templates" in answer.content.decode()
        assert "<td>No</td>" in answer.content.decode()

    def test_its_numbers_lead_to_the_lists(self, admin_client: Client, cast_: Cast) -> None:
        users = look(admin_client, cast_.production.web).context["users"]
        assert [(label, number) for label, number, _ in users] == [
            ("Network ports", 1),
            ("VMs", 1),
            ("Rules of other groups", 1),
        ]
        for _, number, url in users:
            assert admin_client.get(url).context["cl"].result_count == number

    def test_nothing_and_what_the_user_may_not_list_lead_nowhere(
        self, admin_client: Client, client: Client, staff: User, cast_: Cast
    ) -> None:
        assert [url for *_, url in look(admin_client, cast_.staging.web).context["users"]] == ["", "", ""]
        allow(staff, "view_securitygroup", "view_vm")
        ports, vms, rules = look(client, cast_.production.web).context["users"]
        assert (ports[2], bool(vms[2]), rules[2]) == ("", True, "")

    def test_the_list_of_groups_can_be_narrowed_to_the_unused(self, admin_client: Client, cast_: Cast) -> None:
        used = {"sg-production-web", "sg-production-db", "sg-production-default", "sg-staging-default"}
        assert listed(admin_client, unused="false") == used
        assert listed(admin_client, unused="true") == {"sg-staging-web", "sg-staging-db"}
        assert len(listed(admin_client)) == len(listed(admin_client, unused="x")) == 6


def listed(client: Client, **query: object) -> set[str]:
    answer = client.get(page(SecurityGroup, **query))
    return {group.ems_ref for group in answer.context["cl"].result_list}


def test_of_many_ranges_the_page_of_an_exposure_shows_the_first(
    admin_client: Client, cast_: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposures, "RANGES", 2)
    FirewallRule.objects.all().delete()
    for number in range(4):
        cast.public_rule(cast_.production.web, 22, f"5.{number}.0.0/17")
    settle_exposures(cast_.acme.pk)
    exposure = Exposure.objects.get()
    answer = admin_client.get(page(Exposure, "change", exposure.pk)).content.decode()
    assert "5.0.0.0/17, 5.1.0.0/17 and 2 more" in answer
    assert "5.2.0.0/17" not in answer
