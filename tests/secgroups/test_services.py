"""What is accepted as a change of groups, and what is refused at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from inventory.models import CloudTenant, Task, Vm
from secgroups.models import SecurityGroup
from secgroups.plan import Action
from secgroups.services import Accepted, GroupReference, Refused, request_changes
from tests import cast as actors
from tests.cast import OPENSTACK, Cast


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("sam")


@pytest.fixture
def vm(cast: Cast, user: User) -> Vm:
    return cast.production.single


def request(vm: Vm, *asked: GroupReference, action: Action = "add") -> list[Accepted | Refused]:
    return request_changes(vm=vm, action=action, references=asked, user=User.objects.get())


def test_what_was_refused_before_stays_in_its_place(vm: Vm, user: User) -> None:
    refused = Refused("Cannot add nothing")
    asked = [refused, GroupReference("web"), refused, GroupReference("db")]
    answers = request_changes(vm=vm, action="add", references=asked, user=user)
    assert [answer.message.split(" to ")[0] for answer in answers] == [
        "Cannot add nothing",
        "Adding security group web",
        "Cannot add nothing",
        "Adding security group db",
    ]
    assert Task.objects.count() == 2


def refusal(vm: Vm, asked: GroupReference, action: Action = "add") -> str:
    [answer] = request(vm, asked, action=action)
    assert isinstance(answer, Refused)
    assert not Task.objects.exists()
    return answer.message


def accepted(vm: Vm, asked: GroupReference, action: Action = "add") -> Task:
    [answer] = request(vm, asked, action=action)
    assert isinstance(answer, Accepted)
    return Task.objects.get(pk=answer.task.pk)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("add", "Adding security group web to production-single"),
        ("remove", "Removing security group web from production-single"),
    ],
)
def test_a_change_becomes_a_task_of_its_own(action: Action, message: str, cast: Cast, vm: Vm, user: User) -> None:
    group = {"name": "web", "ems_ref": "sg-production-web"}
    task = accepted(vm, GroupReference("web"), action)
    assert task.name == task.message == message
    assert (task.state, task.status, task.queue) == ("Queued", "Ok", f"vms/{vm.pk}")
    assert (task.owner, task.userid, task.vm, task.provider) == (user, "sam", vm, cast.acme)
    assert task.arguments == {"version": 1, "action": action, "group": group, "ports": []}
    assert task.context_data == {"action": action, "instance": "production-single", "security_group": group}


def test_the_answer_is_the_message_of_the_task(vm: Vm) -> None:
    [answer] = request(vm, GroupReference("web"))
    assert answer.message == "Adding security group web to production-single"


@pytest.mark.parametrize("by", ["id", "ems_ref", "name"])
def test_a_group_can_be_named_in_three_ways(by: str, cast: Cast, vm: Vm) -> None:
    web = cast.production.web
    ways = {
        "id": GroupReference(id=web.pk),
        "ems_ref": GroupReference(ems_ref=web.ems_ref),
        "name": GroupReference("web"),
    }
    assert accepted(vm, ways[by]).arguments["group"] == {"name": "web", "ems_ref": "sg-production-web"}


def test_names_of_different_groups_are_refused(cast: Cast, vm: Vm) -> None:
    site = cast.production
    other = "the name of this security group is web and its ems_ref is sg-production-web"
    assert refusal(vm, GroupReference("default", id=site.web.pk)).endswith(other)
    assert refusal(vm, GroupReference(id=site.web.pk, ems_ref=site.db.ems_ref)).endswith(other)
    assert refusal(vm, GroupReference("default", ems_ref=site.web.ems_ref)).endswith(other)
    same = accepted(vm, GroupReference("web", id=site.web.pk, ems_ref=site.web.ems_ref))
    assert same.arguments["group"]["name"] == "web"


def test_a_name_is_that_of_the_group_in_the_network_of_the_instance(cast: Cast, user: User) -> None:
    assert accepted(cast.staging.single, GroupReference("web")).arguments["group"]["ems_ref"] == "sg-staging-web"


def test_a_name_that_the_inventory_does_not_know_is_accepted(vm: Vm) -> None:
    assert accepted(vm, GroupReference("new")).arguments["group"] == {"name": "new", "ems_ref": None}


def test_an_ems_ref_that_the_inventory_does_not_know_is_accepted(vm: Vm) -> None:
    assert accepted(vm, GroupReference(ems_ref="sg-new")).arguments["group"] == {
        "name": "sg-new",
        "ems_ref": "sg-new",
    }


def test_a_group_that_is_there_already_is_accepted(vm: Vm) -> None:
    assert accepted(vm, GroupReference("default")).status == "Ok"
    assert accepted(vm, GroupReference("web"), "remove").status == "Ok"


def test_a_name_that_fits_several_is_refused_with_the_ids_to_choose_from(cast: Cast, vm: Vm) -> None:
    twin = actors.group(cast.production.network, "web", ems_ref="sg-twin")
    assert refusal(vm, GroupReference("web")) == (
        "Cannot add web to production-single: several security groups have this name. "
        f"Choose one by its id: {cast.production.web.pk}, {twin.pk}"
    )
    assert accepted(vm, GroupReference("web", id=twin.pk)).arguments["group"]["ems_ref"] == "sg-twin"


def test_an_id_of_no_group_is_refused(vm: Vm) -> None:
    assert refusal(vm, GroupReference(id=987654)) == (
        "Cannot add security group 987654 to production-single: there is no security group with the id 987654"
    )


@pytest.mark.parametrize(
    ("action", "refused"), [("add", "Cannot add web to"), ("remove", "Cannot remove web from")]
)
def test_an_id_of_another_networks_group_is_refused(action: Action, refused: str, cast: Cast, vm: Vm) -> None:
    message = refusal(vm, GroupReference("web", id=cast.staging.web.pk), action)
    assert message == (
        f"{refused} production-single: web belongs to network vpc-staging, in which production-single has no port"
    )


def test_an_ems_ref_of_another_networks_group_is_refused(vm: Vm) -> None:
    assert refusal(vm, GroupReference(ems_ref="sg-staging-web")) == (
        "Cannot add sg-staging-web to production-single: "
        "web belongs to network vpc-staging, in which production-single has no port"
    )


def test_a_group_of_a_network_that_is_not_known_is_refused(cast: Cast, vm: Vm) -> None:
    lost = actors.group(cast.production.network, "lost", cloud_network=None)
    assert refusal(vm, GroupReference(id=lost.pk)) == (
        f"Cannot add security group {lost.pk} to production-single: the network of lost is unknown"
    )


def test_a_group_of_another_provider_is_refused(cast: Cast, vm: Vm) -> None:
    other = actors.network(actors.tenant(actors.provider("other")), "production")
    foreign = actors.group(other, "foreign")
    assert refusal(vm, GroupReference("foreign", id=foreign.pk)) == (
        "Cannot add foreign to production-single: "
        "foreign belongs to provider other, but production-single belongs to acme"
    )


class TestWhereGroupsBelongToTenants:
    @pytest.fixture
    def vm(self, cast: Cast, user: User) -> Vm:
        cast.acme.vendor = OPENSTACK
        cast.acme.save()
        return Vm.objects.get(pk=cast.production.single.pk)

    def foreign(self, cast: Cast, tenant: CloudTenant | None) -> SecurityGroup:
        return actors.group(cast.production.network, "mail", cloud_network=None, cloud_tenant=tenant)

    def why(self, vm: Vm, group: SecurityGroup) -> str:
        by_id, by_ref = (
            refusal(vm, asked)
            for asked in (GroupReference("mail", id=group.pk), GroupReference(ems_ref=group.ems_ref))
        )
        assert by_ref.startswith(f"Cannot add {group.ems_ref} to production-single: ")
        reason = by_id.removeprefix("Cannot add mail to production-single: ")
        assert by_ref.endswith(f": {reason}")
        return reason

    def test_a_group_of_another_tenant_is_refused(self, cast: Cast, vm: Vm) -> None:
        assert self.why(vm, self.foreign(cast, actors.tenant(cast.acme, "other"))) == (
            "mail belongs to tenant t-other and is not shared with tenant t-account of production-single"
        )

    def test_a_group_whose_tenant_is_not_known_is_refused(self, cast: Cast, vm: Vm) -> None:
        assert self.why(vm, self.foreign(cast, None)) == "the tenant of mail is unknown"

    def test_an_instance_whose_tenant_is_not_known_can_have_no_group_of_one(self, cast: Cast, vm: Vm) -> None:
        Vm.objects.filter(pk=vm.pk).update(cloud_tenant=None)
        vm.refresh_from_db()
        for tenant in (cast.tenant, None):
            group = self.foreign(cast, tenant)
            assert self.why(vm, group) == "the tenant of production-single is unknown"
            group.delete()


@pytest.mark.parametrize("kind", ["vmware", "ManageIQ::Providers::Vmware::InfraManager"])
def test_a_provider_that_can_not_manage_groups_refuses(kind: str, cast: Cast, vm: Vm) -> None:
    cast.acme.vendor = kind
    cast.acme.save()
    vm.refresh_from_db()
    reason = f"Portcullis has no driver for provider acme of type {kind}"
    assert refusal(vm, GroupReference("web")) == f"Cannot add web to production-single: {reason}"
    assert (
        refusal(vm, GroupReference(id=3), "remove")
        == f"Cannot remove security group 3 from production-single: {reason}"
    )


def test_ports_are_named_by_id_or_by_ems_ref(cast: Cast, user: User) -> None:
    first, second = cast.production.double.network_ports.all()
    task = accepted(cast.production.double, GroupReference("web", ports=(str(first.pk), second.ems_ref)))
    assert task.arguments["ports"] == task.context_data["ports"] == [first.ems_ref, second.ems_ref]


def test_a_port_of_another_instance_is_refused(cast: Cast, vm: Vm) -> None:
    theirs = cast.production.double.network_ports.first()
    assert theirs is not None
    for named in (str(theirs.pk), theirs.ems_ref, "987654"):
        refused = refusal(vm, GroupReference("web", ports=(named,)))
        assert refused == f"Cannot add web to production-single: production-single has no port {named}"


def test_the_answers_are_in_the_order_of_the_questions(cast: Cast, vm: Vm) -> None:
    answers = request(
        vm,
        GroupReference("web"),
        GroupReference(id=987654),
        GroupReference("db"),
        GroupReference(ems_ref="sg-staging-web"),
    )
    assert [type(answer) for answer in answers] == [Accepted, Refused, Accepted, Refused]
    assert [task.arguments["group"]["name"] for task in Task.objects.order_by("id")] == ["web", "db"]
    assert [answer.task.pk for answer in answers if isinstance(answer, Accepted)] == [
        task.pk for task in Task.objects.order_by("id")
    ]


def test_it_wakes_one_worker_for_many_and_none_for_nothing(
    vm: Vm, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        request(vm, *[GroupReference("web"), GroupReference("db")] * 5)
    assert len(callbacks) == 1
    with django_capture_on_commit_callbacks() as callbacks:
        request(vm, GroupReference(id=987654))
    assert not callbacks


@pytest.mark.parametrize("number", [1, 50])
def test_the_number_of_queries_does_not_grow_with_the_number_of_groups(
    number: int, cast: Cast, user: User, django_assert_max_num_queries: Any
) -> None:
    vm = Vm.objects.select_related("provider").get(pk=cast.production.double.pk)
    asked = [GroupReference("web"), *(GroupReference(f"g{index}") for index in range(number))]
    # Candidates, ports, what waits, its turn and the tasks, in a savepoint of the service and one of the queue.
    most = 9 if connection.vendor == "postgresql" else 8  # takes turns
    with django_assert_max_num_queries(most):
        request_changes(vm=vm, action="add", references=asked, user=user)
    assert Task.objects.count() == number + 1
