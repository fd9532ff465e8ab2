"""The computed attribute `effective_rules`."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from inventory.models import NetworkPort, Vm
from secgroups.models import AddressList, FirewallRule, Membership, SecurityGroup
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def port() -> NetworkPort:
    """The port of an instance with the groups web and db, at 10.0.0.1."""
    production = cast.enter().production
    vm = cast.vm(production.network, "app", groups=[production.web, production.db])
    port: NetworkPort = vm.network_ports.get()
    address(port, "10.0.0.1")
    return port


def address(port: NetworkPort, *addresses: str) -> None:
    NetworkPort.objects.filter(pk=port.pk).update(ipaddresses=list(addresses))


def group(port: NetworkPort, name: str) -> SecurityGroup:
    return port.security_groups.get(name=name)


def rule(group: SecurityGroup, **columns: Any) -> FirewallRule:
    defaults = {
        "direction": "inbound",
        "network_protocol": "IPV4",
        "host_protocol": "tcp",
        "port": 22,
        "end_port": 22,
    }
    return FirewallRule.objects.create(
        provider=group.provider,
        ems_ref=f"sgr-{FirewallRule.objects.count()}",
        security_group=group,
        **{**defaults, **columns},
    )


def rules_of(client: Client, path: str) -> list[dict[str, Any]]:
    answer = client.get(f"/api/{path}?attributes=effective_rules")
    assert answer.status_code == 200, answer.content
    lines: list[dict[str, Any]] = answer.json()["effective_rules"]
    return lines


class TestOfAnInstance:
    def test_a_line_says_what_passes_and_why(self, admin_client: Client, port: NetworkPort) -> None:
        web = group(port, "web")
        ssh = rule(web, source_ip_range="10.0.0.0/8")
        assert rules_of(admin_client, f"instances/{port.vm_id}") == [
            {
                "direction": "inbound",
                "network_protocol": "IPV4",
                "host_protocol": "tcp",
                "port": 22,
                "end_port": 22,
                "source_ip_range": "10.0.0.0/8",
                "source_security_group": None,
                "source_name": None,
                "addresses": ["10.0.0.0/8"],
                "network_ports": [str(port.pk)],
                "because_of": [
                    {
                        "security_group": {
                            "href": f"http://testserver/api/security_groups/{web.pk}",
                            "id": str(web.pk),
                            "name": "web",
                        },
                        "firewall_rule": {
                            "href": f"http://testserver/api/firewall_rules/{ssh.pk}",
                            "id": str(ssh.pk),
                        },
                    }
                ],
            }
        ]

    def test_a_line_that_another_contains_is_among_its_reasons(
        self, admin_client: Client, port: NetworkPort
    ) -> None:
        narrow = rule(group(port, "web"), source_ip_range="10.0.0.0/16")
        wide = rule(group(port, "db"), host_protocol=None, port=None, end_port=None, source_ip_range="10.0.0.0/8")
        [line] = rules_of(admin_client, f"vms/{port.vm_id}")
        assert (line["host_protocol"], line["source_ip_range"]) == (None, "10.0.0.0/8")
        assert [reason["firewall_rule"]["id"] for reason in line["because_of"]] == [str(narrow.pk), str(wide.pk)]

    def test_a_group_at_the_other_side_has_the_addresses_of_its_members(
        self, admin_client: Client, port: NetworkPort
    ) -> None:
        web, db = group(port, "web"), group(port, "db")
        for index, addresses in enumerate((["10.0.0.2", "fd00::2"], ["10.0.0.3"])):
            vm = cast.vm(web.cloud_network, f"client-{index}", groups=[web])
            address(vm.network_ports.get(), *addresses)
        rule(db, network_protocol=None, source_security_group=web)
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert line["addresses"] == ["10.0.0.1/32", "10.0.0.2/31", "fd00::2/128"]
        assert line["source_security_group"]["name"] == "web"
        assert line["network_protocol"] is None

    def test_the_addresses_of_a_member_are_its_own_and_those_that_it_may_use(
        self, admin_client: Client, port: NetworkPort
    ) -> None:
        db = group(port, "db")
        address(port, "10.0.0.1", "52.16.0.1")
        NetworkPort.objects.filter(pk=port.pk).update(
            public_ipaddresses=["52.16.0.1"], allowed_address_pairs=["10.0.0.9", "10.1.0.0/16"]
        )
        rule(db, network_protocol=None, source_security_group=db)
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert line["addresses"] == ["10.0.0.1/32", "10.0.0.9/32", "10.1.0.0/16"]

    def test_addresses_are_of_the_family_of_the_rule(self, admin_client: Client, port: NetworkPort) -> None:
        address(port, "10.0.0.1", "fd00::1")
        rule(group(port, "db"), network_protocol="IPV6", source_security_group=group(port, "web"))
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert line["addresses"] == ["fd00::1/128"]

    def test_at_most_a_thousand_addresses_are_shown(self, admin_client: Client, port: NetworkPort) -> None:
        address(port, *(f"10.0.{index // 100}.{index % 100 * 2}" for index in range(1_003)))
        rule(group(port, "db"), source_security_group=group(port, "web"))
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert len(line["addresses"]) == 1_000
        assert line["more"] == 3

    def test_a_rule_without_a_source_is_for_everybody_of_its_family(
        self, admin_client: Client, port: NetworkPort
    ) -> None:
        rule(group(port, "db"), network_protocol="IPV6")
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert (line["source_ip_range"], line["addresses"]) == (None, ["::/0"])

    def test_a_name_of_the_cloud_is_not_known(self, admin_client: Client, port: NetworkPort) -> None:
        rule(group(port, "db"), network_protocol=None, source_ip_range="123456789012/sg-1")
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert (line["source_name"], line["source_ip_range"]) == ("123456789012/sg-1", None)
        assert line["addresses"] is None

    def test_of_a_port_without_a_group_nothing_passes(self, admin_client: Client, port: NetworkPort) -> None:
        rule(group(port, "db"))
        Membership.objects.filter(network_port=port).delete()
        assert rules_of(admin_client, f"network_ports/{port.pk}") == []

    def test_without_port_security_everything_passes(self, admin_client: Client, port: NetworkPort) -> None:
        rule(group(port, "db"))
        NetworkPort.objects.update(port_security_enabled=False)
        lines = rules_of(admin_client, f"network_ports/{port.pk}")
        assert [line["direction"] for line in lines] == ["inbound", "outbound"]
        for line in lines:
            assert line["reason"] == "port security is off"
            assert line["addresses"] == ["0.0.0.0/0", "::/0"]
            assert (line["network_protocol"], line["host_protocol"], line["because_of"]) == (None, None, [])

    def test_members_in_other_networks_do_not_count_where_groups_are_confined(
        self, admin_client: Client, port: NetworkPort
    ) -> None:
        web = group(port, "web")
        elsewhere = cast.vm(cast.network(web.cloud_tenant, "elsewhere"), "far", groups=[web])
        address(elsewhere.network_ports.get(), "10.9.0.1")
        rule(group(port, "db"), source_security_group=web)
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert line["addresses"] == ["10.0.0.1/32"]

    def test_members_of_a_group_of_another_network_are_not_known(
        self, admin_client: Client, port: NetworkPort
    ) -> None:
        peer = SecurityGroup.objects.get(name="web", cloud_network__name="staging")
        rule(group(port, "db"), source_security_group=peer)
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert (line["source_security_group"]["id"], line["addresses"]) == (str(peer.pk), None)
        peer.associated_networks.add(port.cloud_network)
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert line["addresses"] == []

    def test_members_in_a_peered_network_count(self, admin_client: Client, port: NetworkPort) -> None:
        peer = SecurityGroup.objects.get(name="web", cloud_network__name="staging")
        member = cast.vm(peer.cloud_network, "far", groups=[peer])
        address(member.network_ports.get(), "10.9.0.1")
        port.cloud_network.peers.add(peer.cloud_network)
        rule(group(port, "db"), source_security_group=peer)
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert line["addresses"] == ["10.9.0.1/32"]

    def test_more_members_than_an_analysis_reads_are_not_known(
        self, admin_client: Client, port: NetworkPort, settings: Any
    ) -> None:
        web = group(port, "web")
        rule(group(port, "db"), source_security_group=web)
        for bound, addresses in ((1, ["10.0.0.1/32"]), (0, None)):
            settings.ANALYSIS_MEMBERS = bound
            [line] = rules_of(admin_client, f"instances/{port.vm_id}")
            assert line["addresses"] == addresses

    def test_a_list_means_its_entries(self, admin_client: Client, port: NetworkPort) -> None:
        entries = AddressList.objects.create(
            provider=port.provider, ems_ref="pl-1", name="offices", entries=["192.0.2.0/25", "192.0.2.128/25"]
        )
        rule(group(port, "db"), network_protocol=None, source_ip_range="pl-1", source_address_list=entries)
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert (line["source_name"], line["addresses"]) == ("pl-1", ["192.0.2.0/24"])
        AddressList.objects.update(entries=None)
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert (line["source_name"], line["addresses"]) == ("pl-1", None)

    def test_unreadable_addresses_of_members_are_not_known(self, admin_client: Client, port: NetworkPort) -> None:
        address(port, "10.0.0.1", "dhcp")
        rule(group(port, "db"), source_security_group=group(port, "web"))
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert line["addresses"] is None

    def test_a_range_of_the_other_family_is_not_known(self, admin_client: Client, port: NetworkPort) -> None:
        rule(group(port, "db"), network_protocol="IPV4", source_ip_range="::/0")
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert (line["source_ip_range"], line["addresses"]) == ("::/0", None)

    def test_members_are_not_known_where_a_network_is_not(self, admin_client: Client, port: NetworkPort) -> None:
        rule(group(port, "db"), source_security_group=group(port, "web"))
        NetworkPort.objects.filter(pk=port.pk).update(cloud_network=None)
        [line] = rules_of(admin_client, f"instances/{port.vm_id}")
        assert line["addresses"] is None


class TestOfAGroup:
    def test_its_own_rules_are_resolved(self, admin_client: Client, port: NetworkPort) -> None:
        db = group(port, "db")
        rule(db, source_security_group=group(port, "web"))
        rule(group(port, "web"), source_ip_range="0.0.0.0/0")
        [line] = rules_of(admin_client, f"security_groups/{db.pk}")
        assert (line["addresses"], line["network_ports"]) == (["10.0.0.1/32"], [])


class TestWhatMayBeSeen:
    @pytest.fixture
    def client(self, client: Client, port: NetworkPort) -> Client:
        """Of a user who may see instances and ports, but no rules."""
        user = User.objects.create_user("viewer")
        names = ["view_vm", "view_networkport", "view_securitygroup"]
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        client.force_login(user)
        return client

    def test_rules_that_may_not_be_seen_are_unknown(self, client: Client, port: NetworkPort) -> None:
        rule(group(port, "db"))
        lines = rules_of(client, f"instances/{port.vm_id}")
        assert [(line["direction"], line["source_name"], line["addresses"]) for line in lines] == [
            ("inbound", "outside your grants", None),
            ("outbound", "outside your grants", None),
        ]

    def test_ports_that_may_not_be_seen_are_unknown(self, client: Client, port: NetworkPort) -> None:
        user = User.objects.get(username="viewer")
        user.user_permissions.remove(Permission.objects.get(codename="view_networkport"))
        lines = rules_of(client, f"instances/{port.vm_id}")
        assert [(line["source_name"], line["addresses"], line["network_ports"]) for line in lines] == [
            ("outside your grants", None, []),
            ("outside your grants", None, []),
        ]


class TestInLists:
    def test_a_page_shows_them(self, admin_client: Client, port: NetworkPort) -> None:
        rule(group(port, "db"), source_ip_range="10.0.0.0/8")
        answer = admin_client.get("/api/instances?expand=resources&attributes=name,effective_rules&limit=100")
        by_name = {resource["name"]: resource["effective_rules"] for resource in answer.json()["resources"]}
        assert len(by_name["production-app"]) == 1
        assert by_name["production-single"] == []

    def test_more_than_a_hundred_resources_are_refused(self, admin_client: Client, port: NetworkPort) -> None:
        for index in range(101):
            cast.vm(port.cloud_network, f"vm-{index}")
        answer = admin_client.get("/api/vms?expand=resources&attributes=effective_rules")
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == (
            "The attribute effective_rules is for at most 100 resources a page. Set a limit of 100 or less."
        )
        assert Vm.objects.count() > 100
