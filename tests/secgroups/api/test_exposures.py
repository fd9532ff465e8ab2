"""What is open to the public, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from inventory.models import NetworkPort
from secgroups.exposures import settle_exposures
from secgroups.models import Exposure, FirewallRule, Membership, SecurityGroup
from secgroups.public_ports import record_public_ports
from tests import cast as actors
from tests.cast import Cast
from tests.readers import reader_of


@pytest.fixture
def open_ssh(cast: Cast) -> Exposure:
    """The group `web`, which `production.single` has beside `default`, lets everybody reach port 22."""
    give(cast.production.single.network_ports.get(), cast.production.web)
    return opened(cast.production.web, 22)


def give(port: NetworkPort, group: SecurityGroup) -> None:
    Membership.objects.create(security_group=group, network_port=port, vm=port.vm)


def opened(group: SecurityGroup, first: int, text: str = "0.0.0.0/0", **attributes: Any) -> Exposure:
    rule = actors.public_rule(group, first, text)
    FirewallRule.objects.filter(pk=rule.pk).update(end_port=attributes.pop("end_port", first), **attributes)
    settle_exposures(group.provider_id)
    row: Exposure = Exposure.objects.latest("pk")
    return row


def names(client: Client, url: str) -> list[str]:
    separator = "&" if "?" in url else "?"
    answer = client.get(f"/api/{url}{separator}expand=resources&attributes=name&sort_by=name")
    assert answer.status_code == 200, answer.content
    return [resource["name"] for resource in answer.json()["resources"]]


def services(client: Client, vm: Any) -> Any:
    return client.get(f"/api/instances/{vm.pk}?attributes=exposed_services").json()["exposed_services"]


class TestTheCollection:
    def test_shows_what_a_group_opens(self, admin_client: Client, cast: Cast, open_ssh: Exposure) -> None:
        rule = FirewallRule.objects.get()
        attributes = "all,security_group.name,ext_management_system.name,firewall_rules"
        read = admin_client.get(f"/api/exposures/{open_ssh.pk}?attributes={attributes}").json()
        assert [each["id"] for each in read.pop("firewall_rules")] == [str(rule.pk)]
        read.pop("actions", None)
        assert read == {
            "href": f"http://testserver/api/exposures/{open_ssh.pk}",
            "id": str(open_ssh.pk),
            "security_group_id": str(cast.production.web.pk),
            "ems_id": str(cast.acme.pk),
            "network_protocol": "IPV4",
            "host_protocol": "tcp",
            "port": 22,
            "end_port": 22,
            "service": "ssh",
            "source_ip_ranges": ["0.0.0.0/0"],
            "breadth": "world",
            "severity": "medium",
            "total_vms": 1,
            "total_public_vms": 0,
            "firewall_rule_ids": [str(rule.pk)],
            "security_group": {"name": "web"},
            "ext_management_system": {"name": "acme"},
        }

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("severity=medium", 1),
            ("severity__in=critical,high", 0),
            ("filter[]=service=ssh", 1),
            ("filter[]=source_ip_ranges='0.0.0.0/0'", 1),
            ("filter[]=source_ip_ranges='8.*'", 0),
            ("filter[]=security_group.name=web", 1),
            ("port__lte=21", 0),
            ("total_public_vms=0", 1),
        ],
    )
    def test_is_filtered(self, admin_client: Client, open_ssh: Exposure, query: str, found: int) -> None:
        answer = admin_client.get(f"/api/exposures?{query}").json()
        assert answer["subquery_count"] == found

    def test_leads_to_the_instances_that_have_the_group(
        self, admin_client: Client, cast: Cast, open_ssh: Exposure
    ) -> None:
        for below in ("instances", "vms"):
            assert names(admin_client, f"exposures/{open_ssh.pk}/{below}") == ["production-single"]
        embedded = admin_client.get("/api/exposures?expand=resources,instances").json()["resources"]
        assert [vm["name"] for vm in embedded[0]["instances"]] == ["production-single"]

    def test_is_below_groups_and_providers(self, admin_client: Client, cast: Cast, open_ssh: Exposure) -> None:
        for parent in (f"security_groups/{cast.production.web.pk}", f"providers/{cast.acme.pk}"):
            assert admin_client.get(f"/api/{parent}/exposures").json()["count"] == 1
        other = admin_client.get(f"/api/security_groups/{cast.staging.web.pk}/exposures").json()
        assert other["count"] == 0

    @pytest.mark.parametrize("action", ["create", "edit", "delete", "refresh"])
    def test_can_not_be_changed(self, admin_client: Client, open_ssh: Exposure, action: str) -> None:
        answer = admin_client.post("/api/exposures", {"action": action}, "application/json")
        assert answer.json()["error"]["message"].startswith("Unsupported Action")


class TestTheFilterExposed:
    @pytest.mark.parametrize("value", ["any", "22"])
    def test_finds_what_is_open(self, admin_client: Client, open_ssh: Exposure, value: str) -> None:
        for collection in ("instances", "vms"):
            assert names(admin_client, f"{collection}?exposed={value}") == ["production-single"]
        assert names(admin_client, f"security_groups?exposed={value}") == ["web"]

    @pytest.mark.parametrize("value", ["21", "23", "0", "65535"])
    def test_finds_nothing_on_other_ports(self, admin_client: Client, open_ssh: Exposure, value: str) -> None:
        assert names(admin_client, f"instances?exposed={value}") == []
        assert names(admin_client, f"security_groups?exposed={value}") == []

    def test_finds_ports_in_ranges_and_among_all(self, admin_client: Client, cast: Cast) -> None:
        opened(cast.production.default, 22, end_port=30)
        opened(cast.staging.default, 0, host_protocol=None, port=None, end_port=None)
        opened(cast.staging.web, 0, host_protocol="icmp", port=25, end_port=None)
        assert names(admin_client, "security_groups?exposed=25") == ["default", "default"]
        assert names(admin_client, "security_groups?exposed=31") == ["default"]
        assert names(admin_client, "security_groups?exposed=any") == ["default", "default", "web"]

    def test_finds_ports_with_port_security_off(self, admin_client: Client, cast: Cast) -> None:
        cast.staging.single.network_ports.update(port_security_enabled=False)
        assert names(admin_client, "instances?exposed=22") == ["staging-single"]

    @pytest.mark.parametrize("value", ["", "ssh", "65536", "-1", "22,23", "1e2", "٢٢", "None"])
    @pytest.mark.parametrize("collection", ["instances", "vms", "security_groups"])
    def test_another_value_is_refused(self, admin_client: Client, db: None, collection: str, value: str) -> None:
        answer = admin_client.get(f"/api/{collection}", {"exposed": value})
        assert answer.status_code == 400
        assert answer.json()["error"]["message"].startswith("exposed: ")


class TestExposedServices:
    def test_says_what_the_groups_open_together(
        self, admin_client: Client, cast: Cast, open_ssh: Exposure
    ) -> None:
        office = opened(cast.production.default, 22, "8.8.8.0/24")
        [service] = services(admin_client, cast.production.single)
        assert {one["id"] for one in service.pop("exposures")} == {str(open_ssh.pk), str(office.pk)}
        assert service == {
            "network_protocol": "IPV4",
            "host_protocol": "tcp",
            "port": 22,
            "end_port": 22,
            "service": "ssh",
            "source_ip_ranges": ["0.0.0.0/0"],
            "breadth": "world",
            "severity": "medium",
            "public": False,
        }
        [narrow] = services(admin_client, cast.production.double)
        assert (narrow["breadth"], narrow["severity"]) == ("narrow", "low")
        assert services(admin_client, cast.staging.single) == []

    def test_a_public_address_counts_on_the_port_that_opens_it(
        self, admin_client: Client, cast: Cast, open_ssh: Exposure
    ) -> None:
        for group, expected in ((cast.production.web, True), (cast.production.db, False)):
            Membership.objects.filter(network_port__vm=cast.production.double).delete()
            first, second = cast.production.double.network_ports.order_by("pk")
            NetworkPort.objects.filter(pk=first.pk).update(public_ipaddresses=["52.0.0.1"])
            give(first, group)
            give(second, cast.production.web)
            [service] = services(admin_client, cast.production.double)
            assert service["public"] is expected
            assert service["severity"] == ("critical" if expected else "medium")
        record_public_ports(NetworkPort.objects.values_list("pk", flat=True))
        settle_exposures(cast.acme.pk)
        open_ssh.refresh_from_db()
        assert (open_ssh.total_vms, open_ssh.total_public_vms, open_ssh.severity) == (2, 0, "medium")

    def test_a_port_with_port_security_off_opens_everything(self, admin_client: Client, cast: Cast) -> None:
        cast.staging.single.network_ports.update(port_security_enabled=False)
        both = services(admin_client, cast.staging.single)
        assert [(one["network_protocol"], one["breadth"], one["reason"], one["exposures"]) for one in both] == [
            (family, "world", "port security is off", []) for family in ("IPV4", "IPV6")
        ]

    def test_is_unknown_to_who_may_not_see_exposures(
        self, client: Client, cast: Cast, open_ssh: Exposure, django_user_model: type[User]
    ) -> None:
        user = django_user_model.objects.create_user("reader")
        for name in ("view_vm", "view_networkport", "view_securitygroup"):
            user.user_permissions.add(Permission.objects.get(codename=name))
            client.force_login(django_user_model.objects.get(pk=user.pk))
            assert services(client, cast.production.single) is None
        user.user_permissions.add(Permission.objects.get(codename="view_exposure"))
        client.force_login(django_user_model.objects.get(pk=user.pk))
        assert len(services(client, cast.production.single)) == 1

    def test_takes_as_many_queries_for_many_instances(
        self, admin_client: Client, cast: Cast, open_ssh: Exposure, django_assert_num_queries: Any
    ) -> None:
        def ask(limit: int) -> None:
            url = f"/api/instances?expand=resources&attributes=exposed_services&limit={limit}"
            assert admin_client.get(url).status_code == 200

        ask(1)
        with django_assert_num_queries(6):
            ask(1)
        with django_assert_num_queries(6):
            ask(4)


class TestAListOutside:
    """A list of addresses of another tenant, which a rule of the group `web` names."""

    @pytest.fixture
    def listed(self, cast: Cast) -> Exposure:
        other = actors.tenant(cast.acme, "other")
        outside = actors.address_list(cast.acme, "partners", ["8.8.8.0/24"], cloud_tenant=other)
        give(cast.production.single.network_ports.get(), cast.production.web)
        return opened(cast.production.web, 22, "pl-partners", source_address_list=outside)

    @pytest.fixture
    def reader(self, client: Client, cast: Cast) -> Client:
        client.force_login(reader_of(cast.tenant))
        return client

    @pytest.mark.parametrize(
        "url",
        [
            "exposures",
            "exposures?filter[]=source_ip_ranges='8.*'",
            "instances?exposed=22",
            "security_groups?exposed=any",
        ],
    )
    def test_shows_no_entry(self, reader: Client, admin_client: Client, listed: Exposure, url: str) -> None:
        found = []
        for client in (reader, admin_client):
            answer = client.get(f"/api/{url}").json()
            found.append(answer.get("subquery_count", answer["count"]))
        assert found == [0, 1]
        assert reader.get(f"/api/exposures/{listed.pk}").status_code == 404

    def test_makes_what_an_instance_exposes_unknown(self, reader: Client, cast: Cast, listed: Exposure) -> None:
        assert services(reader, cast.production.single) is None
        assert services(reader, cast.staging.single) == []

    @pytest.mark.parametrize("everybody", ["0.0.0.0/0", None])
    def test_hides_no_service_that_is_open_to_everybody(
        self, reader: Client, cast: Cast, listed: Exposure, everybody: str | None
    ) -> None:
        opened(cast.production.web, 22, source_ip_range=everybody)
        [shown] = reader.get("/api/exposures?expand=resources").json()["resources"]
        assert shown["source_ip_ranges"] == ["0.0.0.0/0"]

    def test_hides_what_other_ranges_open_together_with_it(
        self, reader: Client, cast: Cast, listed: Exposure
    ) -> None:
        opened(cast.production.web, 22, "9.9.9.0/24")
        opened(cast.production.web, 443, "9.9.9.0/24")
        [shown] = reader.get("/api/exposures?expand=resources").json()["resources"]
        assert (shown["port"], shown["source_ip_ranges"]) == (443, ["9.9.9.0/24"])
