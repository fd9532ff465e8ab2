"""What is accepted as an edit, and what is refused at once."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from inventory.models import Task
from secgroups.models import AddressList, FirewallRule, SecurityGroup
from secgroups.services import (
    Accepted,
    Edit,
    Refused,
    group_creation,
    group_deletion,
    group_edit,
    request_edits,
    rule_creation,
    rule_deletion,
)
from tests import cast as actors
from tests.cast import OPENSTACK, Cast
from tests.clouds import MemoryCloud


def test_an_edit_becomes_a_task_of_its_own(cast: Cast, django_user_model: type[User]) -> None:
    user = django_user_model.objects.create_user("sam")
    [answer] = request_edits([group_deletion(cast.production.web)], user=user)
    assert isinstance(answer, Accepted)
    task = Task.objects.get()
    assert (answer.task, answer.message) == (task, "Deleting security group web")
    assert task.name == task.message == "Deleting security group web"
    assert (task.state, task.status, task.queue) == ("Queued", "Ok", f"security_groups/{cast.acme.pk}")
    assert (task.owner, task.userid, task.provider) == (user, "sam", cast.acme)
    group = {"id": str(cast.production.web.pk), "name": "web", "ems_ref": "sg-production-web"}
    assert task.context_data == {"action": "delete", "provider": "acme", "security_group": group}


def test_many_are_queued_in_their_order_and_what_is_refused_stays_in_its_place(cast: Cast) -> None:
    refused = Refused("Cannot.")
    decided = [group_deletion(cast.production.web), refused, group_deletion(cast.production.db)]
    web, kept, db = request_edits(decided, user=None)
    assert kept is refused
    assert isinstance(web, Accepted)
    assert isinstance(db, Accepted)
    assert list(Task.objects.order_by("pk")) == [web.task, db.task]


def test_every_edit_of_a_provider_without_groups_is_refused(cast: Cast) -> None:
    type(cast.acme).objects.update(vendor="kubernetes")
    cast.acme.refresh_from_db()
    rule = actors.rule(cast.production.web, 80)
    group = rule.security_group
    group.refresh_from_db()
    decided = [
        group_creation(cast.acme, name="new"),
        group_edit(group, name="www"),
        group_deletion(group),
        rule_creation(group, direction="inbound", source_ip_range="10.0.0.0/8"),
        rule_deletion(rule),
    ]
    reason = f"Portcullis has no driver for provider acme of type {cast.acme.vendor}"
    assert [str(one.message) for one in decided if isinstance(one, Refused)] == [
        f"Cannot {what}: {reason}"
        for what in (
            "create security group new",
            "edit security group web",
            "delete security group web",
            "create rule inbound any from 10.0.0.0/8 of security group web",
            "delete rule inbound tcp 80 from 10.0.0.0/8 of security group web",
        )
    ]


def test_a_network_is_refused_where_groups_are_in_none(
    cast: Cast, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryCloud, "groups_have_networks", False)
    refused = group_creation(cast.acme, name="new", cloud_network=cast.production.network)
    assert refused == Refused("Cannot create security group new: security groups of acme don't belong to networks")
    assert isinstance(group_creation(cast.acme, name="new"), Edit)


class TestTheSourceOfARule:
    """Where groups belong to tenants. On EC2 those of peered networks can be named, which EC2 knows."""

    @pytest.fixture
    def stack(self, cast: Cast) -> Cast:
        cast.acme.vendor = OPENSTACK
        cast.acme.save()
        return cast

    def refused(self, group: SecurityGroup, source: SecurityGroup) -> bool:
        rows = SecurityGroup.objects.select_related("provider")
        group, source = (rows.get(pk=one.pk) for one in (group, source))
        made = rule_creation(group, direction="inbound", source_security_group=source)
        if isinstance(made, Refused):
            assert made.message.endswith(
                "the source group belongs to another or an unknown tenant, and is not shared with this tenant"
            )
        return isinstance(made, Refused)

    def test_it_may_be_of_the_same_tenant_or_shared_with_it(self, stack: Cast) -> None:
        web, db = stack.production.web, stack.production.db
        assert not self.refused(web, db)
        other = actors.tenant(stack.acme, "other")
        SecurityGroup.objects.filter(pk=db.pk).update(cloud_tenant=other)
        assert self.refused(web, db)
        db.shared_with.add(stack.tenant)
        assert not self.refused(web, db)
        db.shared_with.clear()
        SecurityGroup.objects.filter(pk=db.pk).update(shared=True)
        assert not self.refused(web, db)

    def test_an_unknown_tenant_is_not_the_same(self, stack: Cast) -> None:
        web, db = stack.production.web, stack.production.db
        SecurityGroup.objects.update(cloud_tenant=None)
        assert self.refused(web, db)
        assert not self.refused(web, web)

    def test_it_may_be_of_another_network_on_ec2(self, cast: Cast) -> None:
        assert not self.refused(cast.production.web, cast.staging.web)


class TestTheListOfARule:
    """Where lists belong to tenants. On EC2 they may be of AWS, or shared with the account, which EC2 knows."""

    def refused(self, group: SecurityGroup, addresses: AddressList) -> bool:
        row = SecurityGroup.objects.select_related("provider").get(pk=group.pk)
        addresses.refresh_from_db()
        made = rule_creation(row, direction="inbound", source_address_list=addresses)
        if isinstance(made, Refused):
            assert made.message.endswith(
                "the list of addresses belongs to another or an unknown tenant, and this tenant does not use it"
            )
        return isinstance(made, Refused)

    @pytest.fixture
    def stack(self, cast: Cast) -> Cast:
        cast.acme.vendor = OPENSTACK
        cast.acme.save()
        return cast

    def test_it_may_be_of_the_same_tenant_or_in_use_there(self, stack: Cast) -> None:
        web, db = stack.production.web, stack.production.db
        own = actors.address_list(stack.acme, "own", [], cloud_tenant=stack.tenant)
        assert not self.refused(web, own)
        other = actors.address_list(stack.acme, "other", [], cloud_tenant=actors.tenant(stack.acme, "other"))
        assert self.refused(web, other)
        rule = actors.rule(db, 22)
        FirewallRule.objects.update(source_address_list=other)
        assert not self.refused(web, other)
        SecurityGroup.objects.filter(pk=rule.security_group_id).update(cloud_tenant=None)
        assert self.refused(web, other)

    def test_an_unknown_tenant_is_not_the_same(self, stack: Cast) -> None:
        unknown = actors.address_list(stack.acme, "unknown", [])
        assert self.refused(stack.production.web, unknown)
        actors.rule(stack.production.db, 22)
        FirewallRule.objects.update(source_address_list=unknown)
        SecurityGroup.objects.update(cloud_tenant=None)
        assert self.refused(stack.production.web, unknown)

    def test_it_may_be_anybodys_on_ec2(self, cast: Cast) -> None:
        assert not self.refused(cast.production.web, actors.address_list(cast.acme, "aws", []))
