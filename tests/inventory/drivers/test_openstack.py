"""The OpenStack driver on real Keystone, Neutron and Nova."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from inventory.drivers.exceptions import (
    AlreadyThere,
    CloudRefused,
    CredentialsRefused,
    GroupNotFound,
    InstanceGone,
    InUse,
    Outdated,
    RuleNotFound,
)
from inventory.drivers.openstack import OpenStackDriver
from inventory.drivers.values import EVERYBODY, Connection, Group, Port, Rule
from tests.live.openstack import PASSWORD, Plane, Project

pytestmark = pytest.mark.openstack


def by_ref(found: Any, ref: str) -> Any:
    """The one value with this ref."""
    (match,) = [item for item in found if item.ref == ref]
    return match


class TestReading:
    def test_an_administrator_reads_every_project(self, plane: Plane, project: Project, other: Project) -> None:
        web, db = project.group("web", description="web servers"), other.group("db", stateful=False)
        ports = [project.port(web), project.port(port_security_enabled=False)]
        server = project.server(*ports, name="production-1")
        read = plane.driver().inventory()
        assert {project.ref, other.ref} <= {tenant.ref for tenant in read.tenants}
        assert by_ref(read.groups, web) == Group(web, "web", "web servers", project.ref)
        assert by_ref(read.groups, db) == Group(db, "db", None, other.ref, stateful=False)
        instance = by_ref(read.instances, server)
        assert (instance.name, instance.power_state, instance.raw_power_state) == ("production-1", "on", "ACTIVE")
        assert (instance.tenant_ref, instance.flavor_name, instance.location) == (project.ref, "tiny", "RegionOne")
        first, second = (by_ref(read.ports, ref) for ref in ports)
        assert (first.instance_ref, first.group_refs, first.port_security_enabled) == (server, (web,), True)
        assert first.ip_addresses[0].startswith("10.1.")
        assert (second.group_refs, second.port_security_enabled) == ((), False)
        assert by_ref(read.networks, project.network).cidr == "10.1.0.0/20"
        assert {rule.group_ref for rule in read.rules} >= {web, db}

    def test_a_member_reads_the_own_project(self, project: Project, other: Project) -> None:
        web, foreign = project.group("web"), other.group("web")
        server = project.server(project.port(web))
        read = project.driver().inventory()
        assert [tenant.ref for tenant in read.tenants] == [project.ref]
        assert [instance.ref for instance in read.instances] == [server]
        refs = {group.ref for group in read.groups}
        assert web in refs
        assert foreign not in refs

    def test_shared_groups_say_with_whom(self, plane: Plane, project: Project, other: Project) -> None:
        one, all_ = project.group("one"), project.group("all")
        share(plane, one, other.ref)
        share(plane, all_, "*")
        read = plane.driver().inventory()
        assert by_ref(read.groups, one).shared_with == (other.ref,)
        assert by_ref(read.groups, all_).shared_with == (EVERYBODY,)
        assert by_ref(other.driver().inventory().groups, one).shared_with == (other.ref,)

    def test_floating_addresses_are_the_last_ones_of_their_port(self, plane: Plane, project: Project) -> None:
        port, other = project.port(), project.port()
        address = project.publish(port)
        for driver in (plane.driver(), project.driver()):  # an administrator's and a member's
            read = driver.inventory().ports
            assert by_ref(read, port).public_ip_addresses == by_ref(read, port).ip_addresses[1:] == (address,)
            assert by_ref(read, port).own_ip_addresses[0].startswith("10.1.")
            assert by_ref(read, other).public_ip_addresses == ()

    def test_the_port_of_a_router_belongs_to_no_instance(self, plane: Plane, project: Project) -> None:
        project.publish(project.port())
        [inside] = plane.sdk.network.ports(network_id=project.network, device_owner="network:router_interface")
        read = by_ref(plane.driver().inventory().ports, inside.id)
        assert (read.instance_ref, read.device_owner) == (None, "network:router_interface")
        assert (read.group_refs, read.port_security_enabled) == ((), False)

    def test_reading_does_not_make_default_groups(self, plane: Plane, project: Project) -> None:
        plane.driver().inventory()
        plane.driver().groups_named("default", ())
        groups = plane.sdk.network.security_groups(name="default")
        assert project.ref not in {group.project_id for group in groups}

    def test_an_instance_without_ports_is_not_gone(self, plane: Plane, project: Project) -> None:
        server = project.server(project.port())
        assert len(plane.driver().ports(server)) == 1
        plane.delete("ports", plane.driver().ports(server)[0].ref)
        assert plane.driver().ports(server) == ()

    def test_an_instance_that_was_deleted_is_gone(self, plane: Plane, project: Project) -> None:
        server = project.server(project.port())
        project.end(server)
        with pytest.raises(InstanceGone):
            plane.driver().ports(server)

    def test_pages_are_followed(self, plane: Plane, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        from inventory.drivers.openstack import client

        refs = {project.group(f"group-{number}") for number in range(5)}
        monkeypatch.setattr(client, "PAGE_SIZE", 2)
        read = [group.ref for group in plane.driver().inventory().groups]
        assert refs <= set(read)
        assert len(read) == len(set(read))


class TestNames:
    def test_a_name_is_that_of_the_ports_project(self, plane: Plane, project: Project, other: Project) -> None:
        ours, _ = project.group("web"), other.group("web")
        [port] = plane.driver().ports(project.server(project.port()))
        assert [group.ref for group in plane.driver().groups_named("web", [port])] == [ours]

    def test_a_name_may_be_that_of_a_shared_group(self, plane: Plane, project: Project, other: Project) -> None:
        shared, own = other.group("bastion"), other.group("private")
        share(plane, shared, project.ref)
        [port] = plane.driver().ports(project.server(project.port()))
        driver = plane.driver()
        assert [group.ref for group in driver.groups_named("bastion", [port])] == [shared]
        assert driver.groups_named("private", [port]) == ()
        assert [group.ref for group in driver.groups_by_ref([shared, own, "no-such"])] != []


class TestWritingPorts:
    def test_a_port_gets_the_list(self, plane: Plane, project: Project) -> None:
        web, db = project.group("web"), project.group("db")
        [port] = plane.driver().ports(project.server(project.port(web)))
        request_id = plane.driver().change_groups(port, [web, db])
        assert plane.groups_of(port.ref) == {web, db}
        assert (request_id or "").startswith("req-")

    def test_a_port_can_be_without_groups(self, plane: Plane, project: Project) -> None:
        [port] = plane.driver().ports(project.server(project.port(project.group("web"))))
        plane.driver().change_groups(port, [])
        assert plane.groups_of(port.ref) == set()

    def test_what_has_changed_since_it_was_read_is_not_overwritten(self, plane: Plane, project: Project) -> None:
        web, db = project.group("web"), project.group("db")
        [port] = plane.driver().ports(project.server(project.port(web)))
        plane.set_groups(port.ref, web, db)
        with pytest.raises(Outdated):
            plane.driver().change_groups(port, [])
        assert plane.groups_of(port.ref) == {web, db}

    def test_a_group_that_does_not_exist_is_not_found(self, plane: Plane, project: Project) -> None:
        [port] = plane.driver().ports(project.server(project.port()))
        with pytest.raises(GroupNotFound):
            plane.driver().change_groups(port, ["00000000-0000-4000-8000-000000000000"])

    def test_a_group_of_another_project_is_not_found(self, plane: Plane, project: Project, other: Project) -> None:
        """For a member; Neutron lets an administrator do it, so we don't: see `secgroups.plan`."""
        [port] = project.driver().ports(project.server(project.port()))
        with pytest.raises(GroupNotFound):
            project.driver().change_groups(port, [other.group("web")])

    def test_a_port_without_port_security_refuses(self, plane: Plane, project: Project) -> None:
        [port] = plane.driver().ports(project.server(project.port(port_security_enabled=False)))
        with pytest.raises(CloudRefused, match="Port security is disabled"):
            plane.driver().change_groups(port, [project.group("web")])

    def test_a_port_without_an_address_takes_groups(self, plane: Plane, project: Project) -> None:
        web, port = project.group("web"), project.port(fixed_ips=[])
        plane.driver().change_groups(Port(port), [web])
        assert plane.groups_of(port) == {web}

    def test_stateful_and_stateless_are_refused_together(self, plane: Plane, project: Project) -> None:
        [port] = plane.driver().ports(project.server(project.port()))
        groups = [project.group("web"), project.group("quick", stateful=False)]
        with pytest.raises(CloudRefused, match="stateful and stateless"):
            plane.driver().change_groups(port, groups)


class TestGroupsAndRules:
    def test_a_group_is_made_edited_and_deleted(self, project: Project) -> None:
        driver = project.driver()
        made, request_id = driver.create_group(driver.placed(Group("", "web", "web servers")))
        assert (made.name, made.description, made.tenant_ref) == ("web", "web servers", project.ref)
        assert (request_id or "").startswith("req-")
        assert [group.ref for group in driver.namesakes(made)] == [made.ref]
        directions = [(rule.direction, rule.network_protocol) for rule in driver.rules_of(made.ref)]
        assert sorted(directions) == [("outbound", "IPV4"), ("outbound", "IPV6")]
        edited, _ = driver.edit_group(made.ref, "www", None)
        assert edited == replace(made, name="www")
        assert driver.edit_group(made.ref, None, "")[0].description is None
        driver.delete_group(made.ref)
        with pytest.raises(GroupNotFound):
            driver.delete_group(made.ref)
        with pytest.raises(GroupNotFound):
            driver.edit_group(made.ref, "www", None)
        assert driver.rules_of(made.ref) == ()

    def test_a_quota_that_is_used_up_is_told(self, plane: Plane, project: Project) -> None:
        driver = project.driver()
        made, _ = driver.create_group(driver.placed(Group("", "web")))
        used = plane.sdk.network.get(f"/quotas/{project.ref}/details").json()["quota"]
        quota = {name: used[name]["used"] for name in ("security_group", "security_group_rule")}
        assert plane.sdk.network.put(f"/quotas/{project.ref}", json={"quota": quota}).ok
        with pytest.raises(CloudRefused, match=r"The project has reached its quota\. .* \(request req-"):
            driver.create_group(driver.placed(Group("", "one too many")))
        with pytest.raises(CloudRefused, match="The project has reached its quota"):
            driver.create_rule(Rule("", made.ref, "inbound", "IPV4", "tcp", 80, 80, "10.0.0.0/8"))

    def test_a_group_in_use_is_kept_and_says_where_it_is(self, plane: Plane, project: Project) -> None:
        web = project.group("web")
        port = project.port(web)
        server = project.server(port)
        with pytest.raises(InUse, match=f"It is attached to the ports: {port} of {server}"):
            plane.driver().delete_group(web)

    @pytest.mark.parametrize(
        ("rule", "seen"),
        [
            (Rule("", "", "inbound", None, "tcp", 80, 81, "10.0.0.0/8"), {"network_protocol": "IPV4"}),
            (Rule("", "", "outbound", None, None, None, None, "::/0"), {"network_protocol": "IPV6"}),
            (Rule("", "", "inbound", None, "icmp", 8, 0, "0.0.0.0/0", None, "ping"), {"network_protocol": "IPV4"}),
        ],
    )
    def test_a_rule_is_made_and_deleted(self, project: Project, rule: Rule, seen: dict[str, Any]) -> None:
        driver, web = project.driver(), project.group("web")
        wanted = replace(rule, group_ref=web)
        if rule.direction == "outbound":
            for default in driver.rules_of(web):
                driver.delete_rule(default)
        made, _ = driver.create_rule(wanted)
        assert made == replace(wanted, ref=made.ref, **seen)
        assert made in driver.rules_of(web)
        with pytest.raises(AlreadyThere):
            driver.create_rule(wanted)
        driver.delete_rule(made)
        with pytest.raises(RuleNotFound):
            driver.delete_rule(made)

    def test_a_rule_in_any_spelling_of_neutron_is_read_in_one_and_not_made_twice(
        self, plane: Plane, project: Project
    ) -> None:
        driver, web = project.driver(), project.group("web")
        for number, (said, family, asked, name) in enumerate(
            [
                ("6", 4, "tcp", "tcp"),
                ("58", 6, "icmpv6", "icmpv6"),
                ("icmp", 6, "ipv6-icmp", "icmpv6"),
                ("112", 4, "vrrp", "vrrp"),
                ("vrrp", 4, "112", "vrrp"),
                ("ipip", 4, "4", "ipv4"),
                ("94", 4, "ipip", "ipip"),
                ("ospf", 4, "89", "ospfigp"),
                ("253", 4, "253", "253"),
                ("any", 4, None, None),
            ]
        ):
            cidr = f"10.{number}.0.0/16" if family == 4 else f"fd00:{number}::/32"
            made = plane.network(
                "security-group-rules",
                security_group_id=web,
                direction="ingress",
                ethertype=f"IPv{family}",
                protocol=said,
                remote_ip_prefix=cidr,
            )
            [found] = [rule for rule in driver.rules_of(web) if rule.ref == made["id"]]
            assert found.host_protocol == name, said
            with pytest.raises(AlreadyThere):
                driver.create_rule(Rule("", web, "inbound", None, asked, source_ip_range=cidr))

    def test_all_ports_are_one_rule_however_they_are_asked_for(self, project: Project) -> None:
        driver, web = project.driver(), project.group("web")
        every = Rule("", web, "inbound", "IPV4", "tcp", None, None, "10.0.0.0/8")
        made, _ = driver.create_rule(every)
        assert (made.port, made.end_port) == (None, None)
        for first in (0, 1):
            with pytest.raises(AlreadyThere):
                driver.create_rule(replace(every, port=first, end_port=65535))

    def test_an_administrators_rule_is_the_projects(self, plane: Plane, project: Project) -> None:
        web = project.group("web")
        made, _ = plane.driver().create_rule(Rule("", web, "inbound", host_protocol="tcp", source_group_ref=web))
        assert plane.sdk.network.get_security_group_rule(made.ref).project_id == project.ref

    def test_a_rule_of_no_group_or_for_none_is_refused(self, project: Project) -> None:
        driver, web, nowhere = project.driver(), project.group("web"), "00000000-0000-4000-8000-000000000000"
        with pytest.raises(GroupNotFound):
            driver.create_rule(Rule("", nowhere, "inbound", source_ip_range="10.0.0.0/8"))
        with pytest.raises(GroupNotFound):
            driver.create_rule(Rule("", web, "inbound", source_group_ref=nowhere))
        with pytest.raises(CloudRefused, match=r"The list of addresses no longer exists\."):
            driver.create_rule(Rule("", web, "inbound", source_ip_range=nowhere, address_list_ref=nowhere))

    def test_rules_that_name_a_group_go_with_it(self, plane: Plane, project: Project) -> None:
        web, db = project.group("web"), project.group("db")
        plane.driver().create_rule(Rule("", db, "inbound", source_group_ref=web))
        plane.driver().delete_group(web)
        assert not [rule for rule in plane.driver().rules_of(db) if rule.direction == "inbound"]

    def test_the_quota_is_told(self, plane: Plane, project: Project) -> None:
        plane.sdk.network.put(f"/quotas/{project.ref}", json={"quota": {"security_group": 1}})
        project.group("web")
        driver, group = project.driver(), Group("", "db", tenant_ref=project.ref)
        with pytest.raises(CloudRefused, match="The project has reached its quota"):
            driver.create_group(group)


class TestLoggingIn:
    def test_a_wrong_password_is_told(self, plane: Plane) -> None:
        with pytest.raises(CredentialsRefused, match="Check the provider's credentials"):
            OpenStackDriver(Connection(url=plane.url, userid="admin", password="wrong")).inventory()

    def test_a_project_out_of_reach_is_told(self, plane: Plane) -> None:
        connection = Connection(url=plane.url, userid="admin", password=plane.password, project="nowhere")
        with pytest.raises(CredentialsRefused, match=r"no role in a project nowhere\. It has one in: .*admin"):
            OpenStackDriver(connection).inventory()

    def test_a_region_that_is_not_there_is_told(self, plane: Plane) -> None:
        connection = Connection(url=plane.url, userid="admin", password=plane.password, region="nowhere")
        with pytest.raises(CloudRefused, match="Check the region"):
            OpenStackDriver(connection).inventory()

    def test_without_a_project_it_is_the_first_that_is_reachable(self, project: Project) -> None:
        assert project.driver().placed(Group("", "web")).tenant_ref == project.ref

    def test_an_application_credential_will_do(self, plane: Plane, project: Project) -> None:
        identity, user = project.member.identity, project.member.current_user_id
        made = identity.create_application_credential(user, f"portcullis-{project.ref}")
        connection = Connection(
            url=plane.url, userid=made.id, password=made.secret, auth_type="application_credential"
        )
        try:
            read = OpenStackDriver(connection).inventory()
        finally:
            # Deleted with its user, its roles would stay: Keystone leaves them to its database, SQLite to nobody.
            identity.delete_application_credential(user, made)
        assert [tenant.ref for tenant in read.tenants] == [project.ref]

    def test_a_user_without_any_project_is_told(self, plane: Plane) -> None:
        user = plane.sdk.identity.create_user(name="nobody-at-all", password=PASSWORD)
        try:
            with pytest.raises(CredentialsRefused, match="no role in any project"):
                OpenStackDriver(Connection(url=plane.url, userid=user.name, password=PASSWORD)).inventory()
        finally:
            plane.sdk.identity.delete_user(user)


class TestDomains:
    """Two projects have one name."""

    @pytest.fixture
    def twins(self, plane: Plane) -> Iterator[dict[str, str]]:
        """By their domain; a user of each domain has a role in both."""
        identity, name = plane.sdk.identity, f"twin-{uuid4().hex[:8]}"
        other = identity.create_domain(name=name)
        domains = ("default", other.id)
        projects = {domain: identity.create_project(name=name, domain_id=domain) for domain in domains}
        users = [identity.create_user(name=name, password=PASSWORD, domain_id=domain) for domain in domains]
        for user in users:
            for project in projects.values():
                identity.assign_project_role_to_user(project, user, identity.find_role("member"))
        yield {domain: project.id for domain, project in projects.items()} | {"name": name}
        for user in users:
            identity.delete_user(user)
        for project in projects.values():
            identity.delete_project(project)
        identity.update_domain(other, is_enabled=False)
        identity.delete_domain(other)

    def test_the_project_is_that_of_the_domain(self, plane: Plane, twins: dict[str, str]) -> None:
        name = twins.pop("name")
        for domain, project in twins.items():
            connection = Connection(url=plane.url, userid=name, password=PASSWORD, project=name, domain=domain)
            assert OpenStackDriver(connection).placed(Group("", "web")).tenant_ref == project
            by_id = replace(connection, project=twins["default"])
            assert OpenStackDriver(by_id).placed(Group("", "web")).tenant_ref == twins["default"]

    def test_without_a_name_it_is_the_one_of_the_domain(self, plane: Plane, twins: dict[str, str]) -> None:
        connection = Connection(url=plane.url, userid=twins["name"], password=PASSWORD)
        assert OpenStackDriver(connection).placed(Group("", "web")).tenant_ref == twins["default"]


class TestCells:
    """The cell of a server is down."""

    @pytest.mark.parametrize("newest", [None, (2, 999)], ids=["that lists it", "that leaves it out"])
    def test_a_server_stays_with_what_is_known(
        self, plane: Plane, project: Project, newest: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from inventory.drivers.openstack import client

        if newest:  # than any: an older version is used
            monkeypatch.setattr(client, "COMPUTE", newest)
            monkeypatch.setattr(client, "client", client.Client)
        port = project.port(project.group("web"))
        server = project.server(port, name="production-1")
        driver = plane.driver()
        before = by_ref(driver.inventory().instances, server)
        with plane.cell_down(server):
            driver.known_instances = {server: before}
            read = driver.inventory()
        assert by_ref(read.instances, server) == replace(before, power_state="unknown", raw_power_state="UNKNOWN")
        assert by_ref(read.ports, port).instance_ref == server
        assert by_ref(driver.inventory().instances, server) == before

    def test_one_that_is_not_known_is_named_by_its_id(self, plane: Plane, project: Project) -> None:
        server = project.server(project.port())
        with plane.cell_down(server):
            found = by_ref(plane.driver().inventory().instances, server)
        assert (found.name, found.raw_power_state, found.tenant_ref) == (server, "UNKNOWN", project.ref)

    def test_one_that_was_deleted_is_gone(self, plane: Plane, project: Project) -> None:
        server = project.server(project.port())
        driver = plane.driver()
        driver.known_instances = {server: by_ref(driver.inventory().instances, server)}
        project.end(server)
        assert server not in {instance.ref for instance in driver.inventory().instances}


def share(plane: Plane, group: str, tenant: str) -> None:
    plane.network(
        "rbac-policies",
        object_type="security_group",
        object_id=group,
        action="access_as_shared",
        target_tenant=tenant,
    )
