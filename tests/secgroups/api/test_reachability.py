"""`GET /api/reachability`."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from inventory.models import NetworkPort, Provider
from secgroups.analysis import questions
from secgroups.models import FirewallRule, Membership, SecurityGroup
from tests import cast

pytestmark = pytest.mark.django_db


class Company:
    """Two instances in one network, each with a group of its own: app at 10.0.0.1 and store at 10.0.0.2."""

    def __init__(self) -> None:
        production = cast.enter().production
        self.web, self.db = production.web, production.db
        self.app = self.instance("app", self.web, "10.0.0.1")
        self.store = self.instance("store", self.db, "10.0.0.2")

    def instance(self, name: str, group: SecurityGroup, *addresses: str) -> NetworkPort:
        vm = cast.vm(group.cloud_network, name, groups=[group])
        vm.network_ports.update(ipaddresses=list(addresses))
        port: NetworkPort = vm.network_ports.get()
        return port

    def rule(self, group: SecurityGroup, direction: str = "inbound", **columns: Any) -> FirewallRule:
        defaults: dict[str, Any] = {"host_protocol": "tcp", "port": 5432, "end_port": 5432}
        return FirewallRule.objects.create(
            provider=group.provider,
            ems_ref=f"sgr-{FirewallRule.objects.count()}",
            security_group=group,
            direction=direction,
            **{"network_protocol": "IPV4", **defaults, **columns},
        )


@pytest.fixture
def company() -> Company:
    return Company()


@pytest.fixture
def client(admin_client: Client) -> Client:
    return admin_client


def ask(client: Client, status: int = 200, **parameters: Any) -> dict[str, Any]:
    answer = client.get("/api/reachability", parameters)
    assert answer.status_code == status, answer.content
    data: dict[str, Any] = answer.json()
    return data


def between(company: Company, **parameters: Any) -> dict[str, Any]:
    """Parameters from app to store."""
    sides = {"from": f"instances/{company.app.vm_id}", "to": f"instances/{company.store.vm_id}"}
    return {**sides, "protocol": "tcp", "port": 5432, **parameters}


class TestBetweenInstances:
    def test_both_sides_have_to_let_it_through(self, client: Client, company: Company) -> None:
        outbound = company.rule(company.web, "outbound", source_ip_range="10.0.0.0/8")
        inbound = company.rule(company.db, source_security_group=company.web)
        answer = ask(client, **between(company))
        assert (answer["verdict"], answer["count"], answer["missing"]) == ("allowed", 1, [])
        assert answer["message"] == "production-app can reach production-store on tcp 5432."
        [path] = answer["paths"]
        assert (path["from_address"], path["to_address"], path["public"]) == ("10.0.0.1", "10.0.0.2", False)
        for direction, rule, group in (("outbound", outbound, company.web), ("inbound", inbound, company.db)):
            assert path[direction]["verdict"] == "allowed"
            [reason] = path[direction]["because_of"]
            assert reason["firewall_rule"]["id"] == str(rule.pk)
            assert reason["security_group"]["name"] == group.name

    def test_what_is_missing_can_be_posted_as_it_is(self, client: Client, company: Company) -> None:
        company.rule(company.db, source_security_group=company.web)
        answer = ask(client, **between(company))
        assert answer["verdict"] == "blocked"
        assert answer["message"].endswith("on tcp 5432. 1 rule is missing.")
        [missing] = answer["missing"]
        assert missing["resource"]["id"] == str(company.app.pk)
        assert [group["name"] for group in missing["security_groups"]] == ["web"]
        assert missing["firewall_rule"] == {
            "direction": "outbound",
            "network_protocol": "IPV4",
            "host_protocol": "tcp",
            "port": 5432,
            "end_port": 5432,
            "source_ip_range": "10.0.0.2/32",
        }
        company.rule(company.web, **missing["firewall_rule"])
        assert ask(client, **between(company))["verdict"] == "allowed"

    def test_two_rules_are_missing_where_nothing_is_there(self, client: Client, company: Company) -> None:
        answer = ask(client, **between(company))
        assert [missing["direction"] for missing in answer["missing"]] == ["outbound", "inbound"]
        assert answer["count"] == 1

    def test_replies_to_a_stateless_group_need_rules_of_their_own(self, client: Client, company: Company) -> None:
        company.rule(company.web, "outbound")
        assert "stateless" not in ask(client, **between(company))["message"]
        company.rule(company.db)
        SecurityGroup.objects.filter(pk=company.db.pk).update(stateful=False)
        answer = ask(client, **between(company))
        assert answer["verdict"] == "allowed"
        assert answer["message"].endswith("A security group is stateless: replies need rules of their own.")

    def test_without_a_group_no_rule_helps(self, client: Client, company: Company) -> None:
        Membership.objects.filter(network_port=company.store).delete()
        answer = ask(client, **between(company))
        assert (answer["verdict"], answer["missing"]) == ("blocked", [])
        assert answer["message"].endswith("A port has no security group, so no rule can help.")

    def test_without_an_address_there_is_no_path(self, client: Client, company: Company) -> None:
        NetworkPort.objects.filter(pk=company.store.pk).update(ipaddresses=[])
        answer = ask(client, **between(company))
        assert (answer["verdict"], answer["count"]) == ("blocked", 0)
        assert answer["message"].endswith("production-store has no port with an address.")

    def test_families_do_not_meet(self, client: Client, company: Company) -> None:
        NetworkPort.objects.filter(pk=company.store.pk).update(ipaddresses=["fd00::2"])
        answer = ask(client, **between(company))
        assert answer["message"].endswith("They have no addresses of one family that meet.")

    def test_private_addresses_of_two_providers_do_not_meet(self, client: Client, company: Company) -> None:
        other = cast.plant("elsewhere")
        other.vm.network_ports.update(ipaddresses=["10.0.0.2"], port_security_enabled=False)
        NetworkPort.objects.filter(pk=company.app.pk).update(port_security_enabled=False)
        answer = ask(client, **between(company, to=f"vms/{other.vm.pk}"))
        assert (answer["verdict"], answer["count"]) == ("blocked", 0)

    def test_public_addresses_meet_everywhere(self, client: Client, company: Company) -> None:
        other = cast.plant("elsewhere")
        for ports, own, public in (
            (other.vm.network_ports, "10.0.0.2", "8.8.4.4"),
            (NetworkPort.objects.filter(pk=company.app.pk), "10.0.0.1", "8.8.8.8"),
        ):
            ports.update(ipaddresses=[own, public], public_ipaddresses=[public], port_security_enabled=False)
        answer = ask(client, **between(company, to=f"vms/{other.vm.pk}"))
        assert (answer["verdict"], answer["count"]) == ("allowed", 1)
        [path] = answer["paths"]
        assert (path["from_address"], path["to_address"], path["public"]) == ("8.8.8.8", "8.8.4.4", True)

    def test_private_addresses_meet_in_peered_networks(self, client: Client, company: Company) -> None:
        far = cast.network(company.app.cloud_tenant, "far")
        NetworkPort.objects.filter(pk=company.store.pk).update(cloud_network=far)
        NetworkPort.objects.update(port_security_enabled=False)
        assert ask(client, **between(company))["verdict"] == "blocked"
        far.peers.add(company.app.cloud_network)
        assert ask(client, **between(company))["verdict"] == "allowed"

    def test_an_exported_inventory_keeps_the_networks_of_its_groups(
        self, client: Client, company: Company
    ) -> None:
        Provider.objects.update(vendor=cast.FILE)
        far = cast.network(company.app.cloud_tenant, "far")
        NetworkPort.objects.filter(pk=company.store.pk).update(cloud_network=far)
        NetworkPort.objects.update(port_security_enabled=False)
        assert ask(client, **between(company))["verdict"] == "blocked"
        SecurityGroup.objects.update(cloud_network=None)  # of a cloud whose networks mean nothing to groups
        assert ask(client, **between(company))["verdict"] == "allowed"

    def test_without_port_security_everything_passes(self, client: Client, company: Company) -> None:
        NetworkPort.objects.update(port_security_enabled=False)
        answer = ask(client, **between(company))
        assert answer["verdict"] == "allowed"
        assert answer["paths"][0]["inbound"] == {
            "verdict": "allowed",
            "because_of": [],
            "reason": "port security is off",
        }

    def test_a_port_is_never_its_own_other_side(self, client: Client, company: Company) -> None:
        NetworkPort.objects.update(port_security_enabled=False)
        side = f"network_ports/{company.app.pk}"
        answer = ask(client, **{"from": side, "to": side})
        assert answer["verdict"] == "blocked"
        assert answer["from"]["name"] == company.app.ems_ref

    def test_the_members_of_groups_can_be_sides(self, client: Client, company: Company) -> None:
        company.rule(company.web, "outbound")
        company.rule(company.db, source_security_group=company.web)
        sides = {
            "from": f"security_groups/{company.web.pk}",
            "to": f"http://testserver/api/security_groups/{company.db.pk}",
        }
        assert ask(client, **{**between(company), **sides})["verdict"] == "allowed"


class TestServices:
    def test_without_a_protocol_it_is_about_all(self, client: Client, company: Company) -> None:
        company.rule(company.web, "outbound", host_protocol=None, port=None, end_port=None)
        company.rule(company.db, source_security_group=company.web)
        company.rule(company.db, host_protocol="icmp", port=8, end_port=None)
        sides = {key: value for key, value in between(company).items() if key in {"from", "to"}}
        answer = ask(client, **sides)
        assert answer["verdict"] == "partly"
        assert answer["services"] == [
            {"network_protocol": "IPV4", "host_protocol": "icmp", "port": 8, "end_port": None},
            {"network_protocol": "IPV4", "host_protocol": "tcp", "port": 5432, "end_port": 5432},
        ]
        [missing] = answer["missing"]
        assert missing["firewall_rule"]["host_protocol"] is None

    @pytest.mark.parametrize(("protocol", "family"), [("icmp", "IPV4"), ("icmpv6", "IPV6")])
    def test_icmp_is_of_one_family(self, client: Client, company: Company, protocol: str, family: str) -> None:
        for port, addresses in ((company.app, ["10.0.0.1", "fd00::1"]), (company.store, ["10.0.0.2", "fd00::2"])):
            NetworkPort.objects.filter(pk=port.pk).update(ipaddresses=addresses)
        answer = ask(client, **between(company, protocol=protocol, port=128))
        assert (answer["count"], answer["families"]) == (1, [family])
        assert {missing["firewall_rule"]["network_protocol"] for missing in answer["missing"]} == {family}

    def test_a_protocol_has_many_names(self, client: Client, company: Company) -> None:
        for name in ("tcp", "TCP", "6"):
            assert ask(client, **between(company, protocol=name))["protocol"] == "tcp"


class TestOutside:
    def test_an_address_is_judged_by_the_rules_of_the_port(self, client: Client, company: Company) -> None:
        company.rule(company.db, source_ip_range="192.0.2.0/24")
        answer = ask(client, **between(company, **{"from": "192.0.2.7"}))
        assert (answer["verdict"], answer["families"]) == ("allowed", ["IPV4"])
        [path] = answer["paths"]
        assert (path["from_port"], path["outbound"], path["public"]) == (None, None, False)
        assert ask(client, **between(company, **{"from": "192.0.3.7"}))["verdict"] == "blocked"

    def test_of_a_range_a_part_may_pass(self, client: Client, company: Company) -> None:
        company.rule(company.db, source_ip_range="192.0.2.0/25")
        answer = ask(client, **between(company, **{"from": "192.0.2.0/24"}))
        assert answer["verdict"] == "partly"
        assert answer["missing"][0]["firewall_rule"]["source_ip_range"] == "192.0.2.0/24"

    def test_two_rules_may_add_up_to_the_internet(self, client: Client, company: Company) -> None:
        company.rule(company.db, source_ip_range="0.0.0.0/1")
        asked = between(company, **{"from": "internet"})
        assert ask(client, **asked)["verdict"] == "partly"
        assert ask(client, **asked)["missing"][0]["firewall_rule"]["source_ip_range"] == "0.0.0.0/0"
        company.rule(company.db, source_ip_range="128.0.0.0/1")
        assert ask(client, **asked)["verdict"] == "allowed"

    def test_to_the_outside_only_outbound_rules_count(self, client: Client, company: Company) -> None:
        company.rule(company.web, "outbound", source_ip_range="8.8.8.8/32")
        answer = ask(client, **between(company, to="8.8.8.8"))
        assert answer["verdict"] == "allowed"
        assert answer["paths"][0]["inbound"] is None


class TestWhatIsNotKnown:
    def test_it_is_unknown_if_that_decides(self, client: Client, company: Company) -> None:
        rule = company.rule(company.db, network_protocol=None, source_ip_range="pl-1234")
        answer = ask(client, **between(company, **{"from": "192.0.2.7"}))
        assert (answer["verdict"], answer["families"]) == ("unknown", ["IPV4"])
        [unknown] = answer["unknown"]
        assert unknown["firewall_rule"]["id"] == str(rule.pk)
        assert unknown["message"] == "The addresses of pl-1234 are not known."
        assert answer["missing"]

    def test_a_service_may_not_be_known(self, client: Client, company: Company) -> None:
        company.rule(company.db, host_protocol="foo", source_ip_range="192.0.2.0/24")
        answer = ask(client, **between(company, **{"from": "192.0.2.7"}))
        assert answer["verdict"] == "unknown"
        assert [unknown["message"] for unknown in answer["unknown"]] == [
            "The protocol foo with port 5432 is not known."
        ]

    def test_ports_that_make_no_sense_are_at_most_those_of_their_protocol(
        self, client: Client, company: Company
    ) -> None:
        company.rule(company.db, host_protocol="vrrp", source_ip_range="192.0.2.0/24")
        asked = between(company, **{"from": "192.0.2.7"})
        assert ask(client, **asked)["verdict"] == "blocked"
        del asked["port"]
        assert ask(client, **{**asked, "protocol": "vrrp"})["verdict"] == "unknown"

    def test_it_is_not_if_another_rule_decides(self, client: Client, company: Company) -> None:
        company.rule(company.db, network_protocol=None, source_ip_range="pl-1234")
        known = company.rule(company.db, source_ip_range="192.0.2.0/24")
        answer = ask(client, **between(company, **{"from": "192.0.2.7"}))
        assert (answer["verdict"], answer["unknown"]) == ("allowed", [])
        [reason] = answer["paths"][0]["inbound"]["because_of"]
        assert reason["firewall_rule"]["id"] == str(known.pk)

    @pytest.mark.parametrize("change", [{"cloud_network": None}, {"ipaddresses": ["dhcp"]}])
    def test_a_port_of_which_too_little_is_known_is_not_judged(
        self, client: Client, company: Company, change: dict[str, Any]
    ) -> None:
        company.rule(company.web, "outbound")
        company.rule(company.db, source_security_group=company.web)
        NetworkPort.objects.filter(vm=company.store.vm).update(**change)
        assert ask(client, **between(company))["verdict"] == "unknown"

    def test_rules_that_may_not_be_seen_are_not_known(self, client: Client, company: Company) -> None:
        viewer = User.objects.create_user("viewer")
        names = ["view_vm", "view_networkport", "view_securitygroup"]
        viewer.user_permissions.set(Permission.objects.filter(codename__in=names))
        client.force_login(viewer)
        answer = ask(client, **between(company))
        assert answer["verdict"] == "unknown"
        assert {unknown["firewall_rule"] for unknown in answer["unknown"]} == {None}

    def test_no_rule_is_missing_in_groups_that_may_not_be_seen(self, client: Client, company: Company) -> None:
        viewer = User.objects.create_user("viewer")
        names = ["view_vm", "view_networkport", "view_firewallrule"]
        viewer.user_permissions.set(Permission.objects.filter(codename__in=names))
        client.force_login(viewer)
        answer = ask(client, **between(company))
        assert (answer["verdict"], answer["missing"]) == ("unknown", [])
        assert answer["message"].endswith("only security groups that you may not see, so no rule can be named.")

    @pytest.mark.parametrize("side", ["instances", "security_groups"])
    def test_ports_that_may_not_be_seen_are_not_known(self, client: Client, company: Company, side: str) -> None:
        viewer = User.objects.create_user("viewer")
        names = ["view_vm", "view_securitygroup", "view_firewallrule"]
        viewer.user_permissions.set(Permission.objects.filter(codename__in=names))
        client.force_login(viewer)
        pk = company.store.vm_id if side == "instances" else company.db.pk
        answer = ask(client, **{"from": "10.0.0.9", "to": f"{side}/{pk}"})
        assert (answer["verdict"], answer["count"], answer["missing"]) == ("unknown", 0, [])
        assert answer["message"].endswith(
            "has ports that you may not see, or whose addresses or network are not known."
        )
        assert [unknown["firewall_rule"] for unknown in answer["unknown"]] == [None]


class TestRefusals:
    def test_of_more_pairs_than_can_be_judged_a_smaller_side_has_to_be_chosen(
        self, client: Client, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(questions, "PAIRS", 1)
        company.instance("app-2", company.web, "10.0.0.3")
        sides = {"from": f"security_groups/{company.web.pk}"}
        assert "more than 1 pairs" in ask(client, 400, **between(company, **sides))["error"]["message"]

    @pytest.mark.parametrize(
        ("changes", "status", "message"),
        [
            ({"from": "", "to": ""}, 400, "One of the parameters from and to is required"),
            ({"from": "10.0.0.1", "to": "internet"}, 400, "At least one of from and to must be a resource"),
            ({"to": "providers/1"}, 400, "The value providers/1 of the parameter to is not an instance, VM"),
            ({"to": "instances/999"}, 404, "Couldn't find Instance with 'id'=999"),
            ({"protocol": "tcpp"}, 400, "The value tcpp of the parameter protocol is not a protocol"),
            ({"protocol": "256", "port": None}, 400, "The value 256 of the parameter protocol is not a protocol"),
            ({"protocol": "0006"}, 400, "The value 0006 of the parameter protocol is not a protocol"),
            ({"protocol": "\u0666"}, 400, "The value \u0666 of the parameter protocol is not a protocol"),
            ({"protocol": "9" * 5000}, 400, "The value 999"),
            ({"protocol": "gre"}, 400, "The parameter port needs a protocol with ports or types"),
            ({"port": "65536"}, 400, "The value 65536 of the parameter port is not a port"),
            ({"port": "-1"}, 400, "The value -1 of the parameter port is not a port"),
            ({"protocol": "icmp", "port": "256"}, 400, "The value 256 of the parameter port is not a port"),
            ({"prot": "tcp"}, 400, "Unknown parameter: prot"),
        ],
    )
    def test_what_makes_no_sense_is_named(
        self, client: Client, company: Company, changes: dict[str, str | None], status: int, message: str
    ) -> None:
        parameters = {key: value for key, value in between(company, **changes).items() if value is not None}
        error = ask(client, status, **parameters)["error"]
        assert error["message"].startswith(message)

    def test_what_may_not_be_seen_is_not_there(self, client: Client, company: Company) -> None:
        client.force_login(User.objects.create_user("nobody"))
        ask(client, 404, **between(company))
