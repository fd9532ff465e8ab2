"""No documented read looks through a large table: PostgreSQL finds what it needs by an index, and little else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.db.models import Count, Model
from django.test import Client
from django.utils import timezone

from inventory.models import CloudTenant, EventStream, Grant, NetworkPort, PortAddress, Provider, Vm
from secgroups.models import AddressList, Exposure, FirewallRule, Membership, SecurityGroup
from secgroups.synthesis import Size, settle, synthesize
from tests import plans

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="looks at the plans of PostgreSQL")

#: So many that a planner has to choose, and so few that they are there in seconds.
SIZE = Size(instances=20_000, groups=4_000, rules=20_000)
#: Most rows that a scan may look at to find a page of 20, of the 4,000 and more that its table has.
FEW = 1_500
#: An edit of each group and an event for each membership, in 300 days. Each task changed about a hundred. A busy
#: user did a third of it, and each of the others so little that an index is worth it.
_EVENTS = """
    INSERT INTO inventory_eventstream (
        event_type, timestamp, source, message, ems_id, cloud_tenant_id, security_group_id, count, full_data
    )
    SELECT 'security_group_edited', now() - interval '1 day' * (id % 300), 'REFRESH', '', provider_id,
        cloud_tenant_id, id, 1, '{"before": {}}'
    FROM secgroups_securitygroup;
    INSERT INTO inventory_eventstream (
        event_type, timestamp, source, message, username, request_id, ems_id, cloud_tenant_id, vm_or_template_id,
        security_group_id, task_id, count, full_data
    )
    SELECT CASE membership.id % 2 WHEN 0 THEN 'security_group_removed' ELSE 'security_group_added' END,
        now() - interval '1 day' * (membership.id % 300), 'PORTCULLIS', '',
        CASE membership.id % 3 WHEN 0 THEN 'busy-00000000'
            ELSE 'user-' || to_char(membership.id % 5000, 'FM00000000') END,
        'request-' || membership.id / 100, security_group.provider_id, security_group.cloud_tenant_id,
        membership.vm_id, security_group_id, membership.id / 100, 1,
        jsonb_build_object('after', jsonb_build_object('network_port_id', network_port_id::text))
    FROM secgroups_membership AS membership
    JOIN secgroups_securitygroup AS security_group ON security_group.id = membership.security_group_id
"""
Sample = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def reader(django_db_setup: None, django_db_blocker: Any) -> Iterator[Client]:
    """Somebody who may see one inventory, which is made for all of these tests and taken back at their end."""
    with django_db_blocker.unblock(), transaction.atomic():
        synthesize(1, SIZE)
        with connection.cursor() as cursor:
            cursor.execute(_EVENTS)
            cursor.execute("ANALYZE inventory_eventstream")
        settle()
        client = Client()
        client.force_login(User.objects.create_superuser("reader"))
        yield client
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def sample(reader: Client, django_db_blocker: Any) -> Sample:
    """The resources of one instance in one of the smaller clouds, and of what is about it."""
    with django_db_blocker.unblock():
        return _sample(reader)


@pytest.mark.django_db
@pytest.mark.parametrize("read", list(plans.reads()))
def test_a_documented_read_looks_at_little_more_than_it_answers(reader: Client, sample: Sample, read: str) -> None:
    _look_at_little(reader, read.format_map(sample))


@pytest.mark.django_db
@pytest.mark.parametrize("read", [read for read in plans.reads() if "event_streams[username]" in read])
def test_a_read_of_who_did_much_looks_at_little_more(reader: Client, sample: Sample, read: str) -> None:
    busy = {**sample["event_streams"], "username": "busy-00000000"}
    assert busy["username"] != sample["event_streams"]["username"]
    _look_at_little(reader, read.format_map({**sample, "event_streams": busy}))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("collection", "model", "attribute"),
    [
        ("instances", Vm, "name"),
        ("instances", Vm, "uid_ems"),
        ("instances", Vm, "ems_ref"),
        ("instances", Vm, "guid"),
        ("network_ports", NetworkPort, "name"),
        ("network_ports", NetworkPort, "mac_address"),
        ("security_groups", SecurityGroup, "name"),
    ],
)
def test_a_plan_that_is_kept_is_right_for_few_and_many(
    reader: Client, sample: Sample, collection: str, model: type[Model], attribute: str
) -> None:
    values = [sample[collection][attribute]]
    if attribute not in {"guid", "ems_ref"}:  # of which there are no two
        rows = model._default_manager.all()
        rows.filter(pk__gt=rows.order_by("pk")[rows.count() // 2].pk).update(**{attribute: "shared"})
        values.append("shared")
    for value in values:
        url = f"/api/{collection}?{plans.PAGE}&filter[]={attribute}='{value}'"
        _look_at_few(plans.kept(partial(reader.get, url)))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "read", ["instances/{vms[id]}/security_groups", "security_groups/{security_groups[id]}/firewall_rules"]
)
@pytest.mark.parametrize("number", [1, 50])
def test_a_plan_that_is_kept_suits_every_grant(reader: Client, sample: Sample, read: str, number: int) -> None:
    granted, tenant = Client(), int(sample["vms"]["cloud_tenant_id"])
    tenants = [tenant, *CloudTenant.objects.exclude(pk=tenant).values_list("pk", flat=True)][:number]
    user, group = User.objects.create_user("granted"), Group.objects.create(name="granted")
    user.groups.add(group)
    for pk in tenants:
        provider = CloudTenant.objects.get(pk=pk).provider
        Grant.objects.create(group=group, role="viewer", provider=provider, cloud_tenant_id=pk)
    granted.force_login(user)
    statements = plans.kept(partial(granted.get, f"/api/{read.format_map(sample)}?{plans.PAGE}"))
    assert any("secgroups_" in sql for sql, _ in statements)
    _look_at_few(statements)


@pytest.mark.django_db
def test_the_past_of_a_member_of_a_large_group_finds_edits_by_their_own_index(reader: Client) -> None:
    """Beside the events of its many members, and the edits of all groups."""
    members = Membership.objects.values("security_group").annotate(number=Count("pk")).order_by("-number")
    vm = Membership.objects.filter(security_group=members[0]["security_group"], vm__isnull=False).latest("pk").vm
    Provider.objects.update(known_since=timezone.now() - timedelta(days=300))
    moment = (timezone.now() - timedelta(days=150)).isoformat()
    url = f"/api/instances/{vm.pk}/security_groups?as_of={quote(moment)}"
    edits, *_ = [sql for sql in plans.statements(reader, url) if "security_group_edited" in sql]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {edits}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    indexes = set(re.findall("event_stream_[a-z_]+", plan))
    assert indexes == {"event_stream_of_group"}, plan


@pytest.mark.django_db
def test_accepting_a_change_looks_at_few_groups(reader: Client, sample: Sample) -> None:
    largest = Vm.objects.filter(cloud=True, provider__name="synthetic-1-private").latest("pk")
    url = f"/api/instances/{largest.pk}/security_groups"
    body = {"action": "add", "resource": {"name": sample["security_groups"]["name"]}}
    _look_at_few(plans.kept(partial(reader.post, url, body, content_type="application/json")))


def _look_at_little(reader: Client, read: str) -> None:
    for sql in plans.statements(reader, f"/api/{read}"):
        for scan in plans.scans(sql):
            assert scan["Node Type"] != "Seq Scan", (scan["Relation Name"], sql)
            assert plans.visited(scan) <= FEW, (plans.visited(scan), sql)


def _look_at_few(statements: list[tuple[str, Sequence[Any]]]) -> None:
    """By the plans that PostgreSQL keeps."""
    assert statements
    for sql, values in statements:
        for scan in plans.scans_as_kept(sql, values):
            assert scan["Node Type"] != "Seq Scan", sql
            assert plans.visited(scan) <= FEW, (plans.visited(scan), sql)


def _sample(reader: Client) -> Sample:
    vm = Vm.objects.filter(provider__name="synthetic-1-aws-europe").order_by("pk").last()
    port = NetworkPort.objects.filter(vm=vm).first()
    group = SecurityGroup.objects.filter(network_ports=port).order_by("pk").last()
    rule = FirewallRule.objects.filter(security_group=group, source_ip_range__startswith="10.").first()
    assert vm is not None
    events = EventStream.objects.filter(vm_or_template_id=vm.pk, username__startswith="user-")
    there = {
        "providers": vm.provider_id,
        "cloud_tenants": vm.cloud_tenant_id,
        "cloud_networks": port.cloud_network_id,
        "instances": vm.pk,
        "vms": vm.pk,
        "network_ports": port.pk,
        "security_groups": group.pk,
        "firewall_rules": rule.pk,
        "exposures": Exposure.objects.filter(provider=vm.provider_id).latest("pk").pk,
        "address_lists": AddressList.objects.filter(provider=vm.provider_id).first().pk,
        "event_streams": events.latest("pk").pk,
    }
    found: Sample = {name: reader.get(f"/api/{name}/{pk}").json() for name, pk in there.items()}
    # What an instance at Amazon, or the rule, happens not to have.
    found["network_ports"]["name"] = NetworkPort.objects.filter(name__isnull=False).order_by("pk")[5000].name
    found["firewall_rules"]["source_security_group_id"] = str(group.pk)
    found["firewall_rules"]["source_address_list_id"] = found["address_lists"]["id"]
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("asked", ["to=instances/{vms[id]}", "from=instances/{vms[id]}", "from=internet"])
def test_a_list_of_who_can_reach_whom_looks_through_no_table(reader: Client, sample: Sample, asked: str) -> None:
    """How many rows it looks at depends on how many instances it counts, up to a bound."""
    url = f"/api/reachability?{asked.format_map(sample)}&protocol=tcp&port=5432&limit=20"
    seen = set()
    for sql in plans.statements(reader, url):
        # PostgreSQL also plans what it carries out only if a provider is being deleted.
        for scan in (scan for scan in plans.scans(sql) if scan["Actual Loops"]):
            assert scan["Node Type"] != "Seq Scan", (scan["Relation Name"], sql)
            seen.add(scan["Relation Name"])
    assert {model._meta.db_table for model in (FirewallRule, Membership, PortAddress)} <= seen
