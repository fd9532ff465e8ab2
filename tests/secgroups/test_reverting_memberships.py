"""Reverting what was added to ports and removed from them: just that, and only if nothing else has touched it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from inventory.db.events import because
from inventory.messages import PROVIDER_DELETED, RIGHT_LOST
from inventory.models import EventStream, Grant, Task, Vm
from inventory.refresh import refresh
from inventory.runner import run_queue
from inventory.services import cause_of_task, delete_provider, request_refresh
from secgroups.models import Membership, SecurityGroup
from secgroups.reverting import messages
from secgroups.services import GroupReference, group_deletion
from tests.cast import Cast, memberships, tenant
from tests.clouds import Grip, MemoryCloud, go, refuse, unavailable
from tests.readers import grant
from tests.secgroups.carrying import carried_out, queue
from tests.secgroups.editing import edited
from tests.secgroups.reverting import accepted, refusal, reverted, run

ONE, TWO = "eni-production-double-1", "eni-production-double-2"


@pytest.fixture
def vm(cast: Cast, cloud: MemoryCloud) -> Vm:
    refresh(cast.acme, Grip())  # the first one leaves no events of what it finds
    return cast.production.double


def done(vm: Vm, action: Any, *groups: str | GroupReference) -> Task:
    queue(vm, action, *groups)
    [task] = carried_out(vm)
    assert task.status == "Ok", task.message
    return task


def at_cloud(cloud: MemoryCloud, vm: Vm) -> dict[str, set[str]]:
    return {port: set(groups) for port, groups in cloud.groups_of(vm.ems_ref).items()}


def test_an_addition_is_removed_from_the_ports_that_it_changed(cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
    cloud.set_port(ONE, group_refs=("sg-production-default", "sg-production-web"))
    refresh(cast.acme, Grip())
    before = at_cloud(cloud, vm)
    task = done(vm, "add", "web")
    reverting = reverted(task)
    assert (reverting.status, reverting.message) == ("Ok", f"Removed security group web from {vm.name}.")
    assert reverting.name == f"Reverting task {task.pk}: removing security group web from {vm.name}"
    assert reverting.context_data["reverts"] == str(task.pk)
    assert at_cloud(cloud, vm) == memberships(vm) == before
    assert [port for port, _ in cloud.called("change_groups")] == [TWO, TWO]


def test_a_removal_is_added_again(cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
    done(vm, "add", GroupReference("web", ports=(TWO,)))
    before = at_cloud(cloud, vm)
    task = done(vm, "remove", "web")
    assert reverted(task).status == "Ok"
    assert at_cloud(cloud, vm) == memberships(vm) == before


def test_a_revert_is_reverted_and_so_on(cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
    without = at_cloud(cloud, vm)
    task = done(vm, "add", "web")
    having = at_cloud(cloud, vm)
    back = reverted(task)
    again = reverted(back)
    assert at_cloud(cloud, vm) == having
    # As the revert was reverted, the task stands as before.
    assert reverted(task).status == "Ok"
    assert at_cloud(cloud, vm) == without
    assert "something else has changed" in refusal(again)


def test_changes_are_reverted_in_reverse(cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
    before = at_cloud(cloud, vm)
    tasks = [done(vm, action, "web") for action in ("add", "remove", "add")]
    for task in reversed(tasks):
        assert reverted(task).status == "Ok"
    assert at_cloud(cloud, vm) == before


def test_what_a_task_found_at_the_cloud_is_not_reverted(cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
    """Though the events have its id."""
    cloud.set_port(ONE, group_refs=("sg-production-default", "sg-production-web"))
    [task] = queue(vm, "add", "db")
    run_queue(f"vms/{vm.pk}")
    assert EventStream.objects.filter(task_id=task.pk, source="REFRESH").count() == 1
    assert reverted(task).status == "Ok"
    assert at_cloud(cloud, vm)[ONE] == {"sg-production-default", "sg-production-web"}


class TestInTheWay:
    def test_is_a_later_task_which_is_named_with_who_and_when(
        self, cast: Cast, cloud: MemoryCloud, vm: Vm, django_user_model: type[User]
    ) -> None:
        task = done(vm, "add", "web")
        [later] = queue(vm, "remove", GroupReference("web", ports=(TWO,)))
        ada = django_user_model.objects.create_superuser("ada")
        Task.objects.filter(pk=later.pk).update(userid="ada", owner=ada)
        carried_out(vm)
        before = at_cloud(cloud, vm)
        event = EventStream.objects.get(task_id=later.pk)
        message = refusal(task)
        assert message == (
            f"Cannot revert task {task.pk}: since task {task.pk}, something else has changed. Security group web "
            f"was removed from {vm.name} on port {TWO}, by ada in task {later.pk} at "
            f"{event.timestamp:%Y-%m-%d %H:%M:%S} UTC. Nothing was changed."
        )
        assert at_cloud(cloud, vm) == before
        assert not Task.objects.unfinished().exists()

    def test_is_what_a_refresh_found(self, cast: Cast, cloud: MemoryCloud, vm: Vm, admin_user: User) -> None:
        """Whoever asked for the refresh has not done it."""
        task = done(vm, "add", "web")
        cloud.set_port(ONE, group_refs=("sg-production-default",))
        run_queue(request_refresh(provider=cast.acme, user=admin_user).queue)
        assert f"was removed from {vm.name} on port {ONE}, found at the cloud at 20" in refusal(task)

    def test_is_what_was_undone_by_other_means(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        """What the membership is by now, somebody else wanted."""
        task = done(vm, "add", "web")
        done(vm, "remove", "web")
        done(vm, "add", "web")
        assert refusal(task).count("was added to") == len((ONE, TWO))

    def test_is_the_revert_itself(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        task = done(vm, "add", "web")
        back = reverted(task)
        assert f"in task {back.pk}" in refusal(task)

    def test_is_not_another_group_or_port_or_instance(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        task = done(vm, "add", GroupReference("web", ports=(ONE,)))
        done(vm, "add", "db")
        done(vm, "add", GroupReference("web", ports=(TWO,)))
        done(cast.production.single, "add", "web")
        assert reverted(task).status == "Ok"
        assert at_cloud(cloud, vm) == {
            ONE: {"sg-production-default", "sg-production-db"},
            TWO: {"sg-production-default", "sg-production-db", "sg-production-web"},
        }

    def test_is_the_deletion_of_the_group(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        done(vm, "add", "web")
        task = done(vm, "remove", "web")
        edited(cast.acme, group_deletion(cast.production.web))
        assert "Security group web was deleted, by system" in refusal(task)

    def test_is_not_what_happened_before_the_task_came_to_it(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        """Events of two transactions at once are in any order, but those of one membership are in theirs."""
        [task] = queue(vm, "add", "web")
        Task.objects.filter(pk=task.pk).update(state="Finished")
        one, two = vm.network_ports.order_by("ems_ref")
        web = cast.production.web
        with transaction.atomic(), because(cause_of_task(Task.objects.get(pk=task.pk))):
            Membership.objects.create(vm=vm, network_port=one, security_group=web)
        Membership.objects.create(vm=vm, network_port=two, security_group=web).delete()
        with transaction.atomic(), because(cause_of_task(Task.objects.get(pk=task.pk))):
            Membership.objects.create(vm=vm, network_port=two, security_group=web)
        assert accepted(task)

    def test_is_found_when_the_revert_begins(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        """By a change that was accepted before it, and recorded after it was accepted."""
        task = done(vm, "add", "web")
        [first] = queue(vm, "remove", GroupReference("web", ports=(TWO,)))
        reverting = accepted(task)
        run(reverting.queue)
        reverting.refresh_from_db()
        assert reverting.status == "Error"
        assert reverting.message.startswith(f"Cannot remove web from {vm.name}: since task {task.pk}, ")
        assert f"on port {TWO}, by system in task {first.pk} at" in reverting.message
        assert "sg-production-web" in at_cloud(cloud, vm)[ONE]

    def test_is_found_at_the_cloud_and_nothing_is_written(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        task = done(vm, "add", "web")
        cloud.set_port(ONE, group_refs=("sg-production-default",))
        before, writes = at_cloud(cloud, vm), len(cloud.called("change_groups"))
        reverting = reverted(task)
        assert reverting.status == "Error"
        assert f"Security group web is no longer on port {ONE}, found at the cloud at 20" in reverting.message
        assert at_cloud(cloud, vm) == memberships(vm) == before
        assert len(cloud.called("change_groups")) == writes

    def test_is_a_port_that_can_not_have_it_any_more(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        """The others are not written either."""
        done(vm, "add", "web")
        task = done(vm, "remove", "web")
        cloud.set_port(ONE, port_security_enabled=False)
        before = at_cloud(cloud, vm)
        reverting = reverted(task)
        assert (reverting.status, reverting.message) == (
            "Error",
            f"Cannot add web to {vm.name}: port {ONE} has port security disabled. Nothing was changed.",
        )
        assert at_cloud(cloud, vm) == before

    def test_is_not_named_to_who_may_not_see_it(
        self, cast: Cast, cloud: MemoryCloud, vm: Vm, django_user_model: type[User]
    ) -> None:
        """The group is of another tenant, which shares it. The events are of neither."""
        ada = django_user_model.objects.create_user("ada")
        grant(ada, "operator", cast.tenant)
        task = done(vm, "add", "web")
        done(vm, "remove", "web")
        assert "by system in task" in refusal(task, ada)
        cast.production.web.shared_with.add(cast.tenant)
        SecurityGroup.objects.filter(name="web").update(cloud_tenant=tenant(cast.acme, "other"))
        task = done(vm, "add", "web")
        done(vm, "remove", "web")
        message = refusal(task, ada)
        assert "Something that you may not see was changed at 20" in message
        assert not re.search("web|system|eni", message)


class TestFaults:
    def test_what_it_wrote_before_its_worker_died_is_not_in_its_way(
        self, cast: Cast, cloud: MemoryCloud, vm: Vm
    ) -> None:
        before = at_cloud(cloud, vm)
        task = done(vm, "add", "web")
        reverting = accepted(task)

        def die(call: Any) -> Any:
            call()
            raise KeyboardInterrupt

        cloud.script("change_groups", die)
        with pytest.raises(KeyboardInterrupt):
            run(reverting.queue)
        refresh(cast.acme, Grip())  # finds what was written
        run(reverting.queue)
        reverting.refresh_from_db()
        assert reverting.status == "Ok", reverting.message
        assert at_cloud(cloud, vm) == memberships(vm) == before

    def test_what_was_in_its_way_before_its_worker_died_still_is(
        self, cast: Cast, cloud: MemoryCloud, vm: Vm
    ) -> None:
        task = done(vm, "add", "web")
        reverting = accepted(task)
        cloud.set_port(ONE, group_refs=("sg-production-default",))
        refresh(cast.acme, Grip())
        Task.objects.filter(pk=reverting.pk).update(state="Active", started_on=timezone.now())
        run(reverting.queue)
        reverting.refresh_from_db()
        assert "found at the cloud" in reverting.message
        assert "sg-production-web" in at_cloud(cloud, vm)[TWO]

    def test_a_lost_answer_is_no_change_of_somebody_else(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        before = at_cloud(cloud, vm)
        task = done(vm, "add", "web")
        cloud.script("change_groups", unavailable(done=True), unavailable())
        assert reverted(task).status == "Ok"
        assert at_cloud(cloud, vm) == before

    def test_a_refusal_on_one_port_takes_the_other_back(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        task = done(vm, "add", "web")
        before = at_cloud(cloud, vm)
        cloud.script("change_groups", go, refuse(), go, go, refuse())
        assert reverted(task).status == "Error"
        assert at_cloud(cloud, vm) == memberships(vm) == before


class TestRights:
    @pytest.fixture
    def ada(self, cast: Cast, django_user_model: type[User]) -> User:
        ada = django_user_model.objects.create_user("ada")
        grant(ada, "operator", cast.acme)
        return ada

    def test_are_those_of_the_change(self, cast: Cast, cloud: MemoryCloud, vm: Vm, ada: User) -> None:
        task = done(vm, "add", "web")
        assert accepted(task, ada).userid == "ada"
        Grant.objects.update(role="viewer")
        with pytest.raises(PermissionDenied):
            refusal(task, User.objects.get(pk=ada.pk))

    def test_must_reach_the_instance(self, cast: Cast, cloud: MemoryCloud, vm: Vm, ada: User) -> None:
        task = done(vm, "add", "web")
        Grant.objects.update(provider=987_654)
        with pytest.raises(PermissionDenied):
            refusal(task, User.objects.get(pk=ada.pk))

    def test_are_asked_again_when_it_begins(self, cast: Cast, cloud: MemoryCloud, vm: Vm, ada: User) -> None:
        task = done(vm, "add", "web")
        before = at_cloud(cloud, vm)
        reverting = accepted(task, ada)
        Grant.objects.update(role="viewer")
        run(reverting.queue)
        reverting.refresh_from_db()
        assert (reverting.status, reverting.message) == ("Error", RIGHT_LOST)
        assert at_cloud(cloud, vm) == before


class TestWhatCanNotBeReverted:
    def test_an_unfinished_task(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        [task] = queue(vm, "add", "web")
        assert messages.NOT_FINISHED in refusal(task)

    def test_one_that_failed(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        queue(vm, "add", "nobody has this")
        [task] = carried_out(vm)
        assert refusal(task).endswith(messages.FAILED)

    def test_one_that_had_nothing_to_do(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        """What it found at the cloud is not its doing."""
        cloud.set_port(ONE, group_refs=("sg-production-default", "sg-production-web"))
        cloud.set_port(TWO, group_refs=("sg-production-default", "sg-production-web"))
        task = done(vm, "add", "web")
        assert refusal(task).endswith(messages.CHANGED_NOTHING)

    def test_one_that_could_not_be_recorded(
        self, cast: Cast, cloud: MemoryCloud, vm: Vm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("secgroups.changes.record_ports", lambda *args, **kwargs: 1 / 0)
            queue(vm, "add", "web")
            [task] = carried_out(vm)
        assert task.status == "Warn"
        assert refusal(task).endswith(messages.UNRECORDED)

    def test_one_that_added_and_removed(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        """As its events say, if ports were changed both ways while its worker was away."""
        task = done(vm, "add", "web")
        with transaction.atomic(), because(cause_of_task(task)):
            Membership.objects.filter(vm=vm, security_group__name="default").first().delete()  # type: ignore[union-attr]
        assert refusal(task).endswith(messages.BOTH_WAYS)

    def test_a_refresh(self, cast: Cast, cloud: MemoryCloud, admin_user: User) -> None:
        task = request_refresh(provider=cast.acme, user=admin_user)
        Task.objects.update(state="Finished")
        assert refusal(task).endswith(messages.NOTHING_TO_REVERT)

    def test_one_from_before_there_were_events(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        task = Task.objects.create(
            name="old", message="Done.", queue=f"vms/{vm.pk}", provider=cast.acme, vm=vm, state="Finished"
        )
        Task.objects.update(updated_on=timezone.now() - timedelta(days=30))
        assert refusal(task).endswith(messages.NO_EVENTS)

    def test_one_older_than_the_retention(self, cast: Cast, cloud: MemoryCloud, vm: Vm, settings: Any) -> None:
        """Even if some of its events are still there."""
        task = done(vm, "add", "web")
        Task.objects.update(updated_on=timezone.now() - settings.EVENTS_RETENTION - timedelta(seconds=1))
        assert refusal(task).endswith(messages.NO_EVENTS)

    def test_one_whose_events_are_gone_when_the_revert_begins(
        self, cast: Cast, cloud: MemoryCloud, vm: Vm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task = done(vm, "add", "web")
        before = at_cloud(cloud, vm)
        reverting = accepted(task)
        monkeypatch.setattr("secgroups.changes.changes_of", lambda task: {})
        run(reverting.queue)
        reverting.refresh_from_db()
        assert reverting.message.endswith(messages.NO_EVENTS)
        assert at_cloud(cloud, vm) == before

    def test_one_of_a_provider_that_is_gone(
        self, cast: Cast, cloud: MemoryCloud, vm: Vm, admin_user: User
    ) -> None:
        task = done(vm, "add", "web")
        delete_provider(provider=cast.acme, user=admin_user)
        assert refusal(task).endswith(PROVIDER_DELETED)
        Task.objects.update(provider=None)
        assert refusal(task).endswith(PROVIDER_DELETED)

    def test_one_of_an_instance_that_is_gone(self, cast: Cast, cloud: MemoryCloud, vm: Vm) -> None:
        task = done(vm, "add", "web")
        cloud.terminate(vm.ems_ref)
        refresh(cast.acme, Grip())
        assert "The instance is no longer in the inventory." in refusal(task)
