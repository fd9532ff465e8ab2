"""Making and deleting firewall rules over HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from inventory.models import Task
from inventory.runner import run_queue
from secgroups.models import FirewallRule
from tests import cast as actors
from tests.cast import Cast
from tests.clouds import MemoryCloud
from tests.contracts import everything_to_see, grant

SOURCES = "source_ip_range, source_security_group_id, source_address_list_id"
RULE = {"direction": "inbound", "host_protocol": "tcp", "port": 443, "source_ip_range": "10.0.0.0/8"}


def post(client: Client, url: str, body: Any, status: int = HTTPStatus.OK) -> Any:
    answer = client.post(url, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def asked(client: Client, url: str, **resource: Any) -> dict[str, Any]:
    """What the task that comes of this is to make."""
    [result] = post(client, url, {"action": "create", "resource": resource})["results"]
    return dict(Task.objects.get(pk=result["task_id"]).arguments["rule"])


def refused(client: Client, url: str, resource: Any) -> str:
    [result] = post(client, url, {"action": "create", "resource": resource}, HTTPStatus.BAD_REQUEST)["results"]
    assert result["success"] is False
    assert not Task.objects.exists()
    return str(result["message"])


@pytest.fixture
def url(cast: Cast) -> str:
    return f"/api/security_groups/{cast.production.web.pk}/firewall_rules"


class TestCreate:
    def test_a_rule_is_made_by_a_task_that_the_answer_names(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, url: str
    ) -> None:
        answer = post(admin_client, url, RULE | {"end_port": 444, "description": "office"})

        task = Task.objects.get()
        assert answer == {
            "results": [
                {
                    "success": True,
                    "message": "Creating rule inbound tcp 443-444 from 10.0.0.0/8 of security group web",
                    "task_id": str(task.pk),
                    "task_href": f"http://testserver/api/tasks/{task.pk}",
                    "href": f"http://testserver/api/security_groups/{cast.production.web.pk}",
                }
            ]
        }
        run_queue(task.queue)
        [read] = admin_client.get(f"{url}?expand=resources").json()["resources"]
        ref = read.pop("ems_ref")
        assert read == {
            "href": f"http://testserver{url}/{read['id']}",
            "id": read["id"],
            "resource_id": str(cast.production.web.pk),
            "direction": "inbound",
            "network_protocol": "IPV4",
            "host_protocol": "tcp",
            "port": 443,
            "end_port": 444,
            "source_ip_range": "10.0.0.0/8",
            "source_security_group_id": None,
            "source_address_list_id": None,
            "description": "office",
        }
        shown = admin_client.get(f"/api/tasks/{task.pk}").json()
        assert shown["message"] == "Created rule inbound tcp 443-444 from 10.0.0.0/8 of security group web."
        rule = shown["context_data"]["firewall_rule"]
        assert (rule["id"], rule["ems_ref"], rule["port"]) == (read["id"], ref, 443)

    def test_a_source_can_be_a_group_of_the_same_provider(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, url: str
    ) -> None:
        source = {"source_security_group_id": str(cast.production.db.pk)}
        post(admin_client, url, {"direction": "outbound", "host_protocol": "tcp", "port": 5432, **source})
        run_queue(f"security_groups/{cast.acme.pk}")
        rule = FirewallRule.objects.get()
        assert (rule.direction, rule.source_security_group) == ("outbound", cast.production.db)
        name = "rule outbound tcp 5432 to db of security group web"
        assert Task.objects.get().message == f"Created {name}."

    def test_a_source_can_be_a_list_of_addresses(
        self, admin_client: Client, cast: Cast, cloud: MemoryCloud, url: str
    ) -> None:
        offices = actors.address_list(cast.acme, "offices", ["192.0.2.0/24"])
        rule = {"direction": "inbound", "host_protocol": "tcp", "port": 22}
        post(admin_client, url, rule | {"source_address_list_id": str(offices.pk)})
        run_queue(f"security_groups/{cast.acme.pk}")
        made = FirewallRule.objects.get()
        assert (made.source_address_list, made.source_ip_range) == (offices, "pl-offices")
        [task] = Task.objects.all()
        assert task.message == "Created rule inbound tcp 22 from offices of security group web."
        named = {"id": str(offices.pk), "name": "offices", "ems_ref": "pl-offices"}
        assert task.context_data["firewall_rule"]["source_address_list"] == named
        answer = post(admin_client, f"{url}/{made.pk}", {"action": "delete"})
        assert answer["message"] == "Deleting rule inbound tcp 22 from offices of security group web"

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({}, {"port": 443, "end_port": 443, "network_protocol": "IPV4"}),
            ({"source_ip_range": "10.1.2.3/8"}, {"source_ip_range": "10.0.0.0/8"}),
            (
                {"source_ip_range": "2001:DB8::/32"},
                {"source_ip_range": "2001:db8::/32", "network_protocol": "IPV6"},
            ),
            ({"port": None}, {"port": None, "end_port": None}),
            ({"host_protocol": "6"}, {"host_protocol": "tcp", "port": 443}),
            ({"host_protocol": "TCP"}, {"host_protocol": "tcp", "port": 443}),
            ({"host_protocol": "ipv6-icmp", "port": 8}, {"host_protocol": "icmpv6", "port": 8, "end_port": None}),
            ({"host_protocol": "58", "port": 128}, {"host_protocol": "icmpv6", "port": 128, "end_port": None}),
            ({"host_protocol": "112", "port": None}, {"host_protocol": "vrrp"}),
            ({"host_protocol": None, "port": None}, {"host_protocol": None, "port": None}),
            ({"host_protocol": "ICMP", "port": 8}, {"host_protocol": "icmp", "port": 8, "end_port": None}),
            ({"host_protocol": "icmp", "port": 3, "end_port": 4}, {"port": 3, "end_port": 4}),
            ({"host_protocol": "icmp", "port": -1, "end_port": -1}, {"port": None, "end_port": None}),
            ({"port": 0, "end_port": 65535}, {"port": 0, "end_port": 65535}),
            ({"port": "22", "description": ""}, {"port": 22, "description": None}),
        ],
    )
    def test_what_is_not_said_is_made_up_for(
        self, admin_client: Client, url: str, given: dict[str, Any], expected: dict[str, Any]
    ) -> None:
        rule = asked(admin_client, url, **RULE | given)
        assert {name: rule[name] for name in expected} == expected

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"direction": None}, "direction: This field may not be null."),
            ({"direction": "up"}, 'direction: "up" is not a valid choice.'),
            ({"network_protocol": "IPV5"}, 'network_protocol: "IPV5" is not a valid choice.'),
            ({"network_protocol": "IPV6"}, "network_protocol: 10.0.0.0/8 is IPV4."),
            ({"host_protocol": "any"}, "host_protocol: Omit it for any protocol."),
            ({"host_protocol": "-1"}, "host_protocol: Omit it for any protocol."),
            ({"host_protocol": "0"}, "host_protocol: Omit it for any protocol."),
            ({"host_protocol": "256"}, "host_protocol: Protocol numbers end at 255."),
            ({"host_protocol": "tcp udp"}, "host_protocol: This value does not match the required pattern."),
            ({"host_protocol": None}, "port: It requires a host_protocol with ports, such as tcp or udp."),
            ({"port": 65536}, "port: Ensure this value is less than or equal to 65535."),
            ({"port": -1}, "port: The ports must be a range from 0 to 65535."),
            ({"end_port": 442}, "port: The ports must be a range from 0 to 65535."),
            ({"port": None, "end_port": 442}, "end_port: It requires a port."),
            ({"host_protocol": "icmp", "port": 256}, "port: icmp takes a type and a code up to 255."),
            (
                {"host_protocol": "icmp", "port": None, "end_port": 1},
                "port: icmp takes a type and a code up to 255.",
            ),
            ({"source_ip_range": "10.0.0.0/33"}, "source_ip_range: 10.0.0.0/33 is not a valid CIDR."),
            ({"source_ip_range": "10.0.0.5/0.0.0.0"}, "source_ip_range: 10.0.0.5/0.0.0.0 is not a valid CIDR."),
            (
                {"source_ip_range": "10.0.0.0/255.0.0.0"},
                "source_ip_range: 10.0.0.0/255.0.0.0 is not a valid CIDR.",
            ),
            ({"source_ip_range": "fe80::1%eth0"}, "source_ip_range: fe80::1%eth0 is not a valid CIDR."),
            ({"source_ip_range": "10.0.0.0/8\n"}, "source_ip_range: 10.0.0.0/8\n is not a valid CIDR."),
            ({"source_ip_range": "everybody"}, "source_ip_range: everybody is not a valid CIDR."),
            (
                {"source_ip_range": None},
                f"source_ip_range: Specify one of {SOURCES}. 0.0.0.0/0 or ::/0 allows any source.",
            ),
            (
                {"source_security_group_id": "1"},
                f"source_ip_range: Specify only one of {SOURCES}.",
            ),
            (
                {"source_ip_range": None, "source_security_group_id": "1", "source_address_list_id": "1"},
                f"source_ip_range: Specify only one of {SOURCES}.",
            ),
            (
                {"source_ip_range": None, "source_address_list_id": "0"},
                "source_address_list_id: there is no address list 0",
            ),
            ({"resource_id": "0"}, "these are the rules of security group {web}"),
            ({"ems_ref": "sgr-1", "foo": 1}, "Invalid attributes specified: ems_ref, foo"),
        ],
    )
    def test_what_makes_no_sense_is_refused_and_named(
        self, admin_client: Client, cast: Cast, url: str, given: dict[str, Any], message: str
    ) -> None:
        said = refused(admin_client, url, RULE | given)
        assert said.startswith("Cannot create a firewall rule: ")
        assert said.endswith(message.format(web=cast.production.web.pk))

    def test_a_group_that_is_not_there_or_elsewhere_is_no_source(
        self, admin_client: Client, cast: Cast, url: str
    ) -> None:
        far = actors.group(actors.network(actors.tenant(actors.provider("other")), "far"), "far")
        rule = {"direction": "inbound", "source_security_group_id": "0"}
        assert refused(admin_client, url, rule).endswith("source_security_group_id: there is no security group 0")
        rule["source_security_group_id"] = str(far.pk)
        assert refused(admin_client, url, rule) == (
            "Cannot create rule inbound any from far of security group web: "
            "the source group belongs to another provider"
        )

    def test_a_list_of_addresses_of_another_provider_is_no_source(
        self, admin_client: Client, cast: Cast, url: str
    ) -> None:
        far = actors.address_list(actors.provider("other"), "far", None)
        rule = {"direction": "inbound", "source_address_list_id": str(far.pk)}
        assert refused(admin_client, url, rule) == (
            "Cannot create rule inbound any from far of security group web: "
            "the list of addresses belongs to another provider"
        )

    def test_many_are_each_answered(self, admin_client: Client, cast: Cast, cloud: MemoryCloud, url: str) -> None:
        resources = [RULE, {}, RULE | {"port": 80}, RULE | {"resource_id": cast.production.web.pk}]
        results = post(admin_client, url, {"action": "create", "resources": resources})["results"]
        assert [result["success"] for result in results] == [True, False, True, True]
        run_queue(f"security_groups/{cast.acme.pk}")
        subject = "rule inbound tcp 443 from 10.0.0.0/8 of security group web"
        assert [(task.status, task.message) for task in Task.objects.all()] == [
            ("Ok", f"Created {subject}."),
            ("Ok", f"Created {subject.replace('443', '80')}."),
            ("Ok", f"There was nothing to do: {subject} already exists."),
        ]
        assert FirewallRule.objects.count() == 2


class TestDelete:
    @pytest.fixture
    def rules(self, cast: Cast) -> list[FirewallRule]:
        return [actors.rule(cast.production.web, number) for number in (80, 443)]

    def test_one_is_deleted_by_its_address(
        self, admin_client: Client, cast: Cast, rules: list[FirewallRule], cloud: MemoryCloud, url: str
    ) -> None:
        answer = post(admin_client, f"{url}/{rules[0].pk}", {"action": "delete"})
        assert answer["message"] == "Deleting rule inbound tcp 80 from 10.0.0.0/8 of security group web"
        assert answer["href"] == f"http://testserver/api/security_groups/{cast.production.web.pk}"
        assert admin_client.delete(f"{url}/{rules[1].pk}").status_code == HTTPStatus.NO_CONTENT
        run_queue(f"security_groups/{cast.acme.pk}")
        assert [task.status for task in Task.objects.all()] == ["Ok", "Ok"]
        assert not FirewallRule.objects.exists()
        assert cloud.rule_list == []

    def test_many_are_deleted_by_id_or_address(
        self, admin_client: Client, cast: Cast, rules: list[FirewallRule], cloud: MemoryCloud, url: str
    ) -> None:
        foreign = actors.rule(cast.production.db, 22)
        resources = [
            {"id": rules[0].pk},
            {"href": f"/api/firewall_rules/{rules[1].pk}"},
            {"id": foreign.pk},
            {},
        ]
        results = post(admin_client, url, {"action": "delete", "resources": resources})["results"]
        assert [result["success"] for result in results] == [True, True, False, False]
        run_queue(f"security_groups/{cast.acme.pk}")
        assert list(FirewallRule.objects.all()) == [foreign]

    def test_a_single_one_that_is_not_there_is_refused(self, admin_client: Client, url: str) -> None:
        body = {"action": "delete", "resource": {"id": 0}}
        [result] = post(admin_client, url, body, HTTPStatus.BAD_REQUEST)["results"]
        assert result["message"] == "Cannot delete firewall rule 0: Couldn't find FirewallRule with 'id'=0"
        assert admin_client.delete(f"{url}/0").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(("action", "permission"), [("create", "add"), ("delete", "delete")])
def test_each_action_asks_its_permission(
    client: Client, cast: Cast, url: str, django_user_model: type[User], action: str, permission: str
) -> None:
    user = everything_to_see(django_user_model.objects.create_user("sam"))
    client.force_login(user)
    address = url if action == "create" else f"{url}/{actors.rule(cast.production.web, 80).pk}"
    body = {"action": action, "resource": RULE if action == "create" else {}}
    post(client, address, body, HTTPStatus.FORBIDDEN)
    assert not Task.objects.exists()
    grant(user, f"secgroups.{permission}_firewallrule")
    post(client, address, body)
    assert Task.objects.get().userid == "sam"


def test_the_rules_of_all_groups_are_only_read(admin_client: Client, cast: Cast) -> None:
    rule = actors.rule(cast.production.web, 80)
    assert admin_client.delete(f"/api/firewall_rules/{rule.pk}").status_code == HTTPStatus.BAD_REQUEST
    post(admin_client, "/api/firewall_rules", RULE, HTTPStatus.BAD_REQUEST)
