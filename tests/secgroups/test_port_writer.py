"""Writing to a cloud that fails in every way that clouds do."""

from __future__ import annotations

import pytest
from django.utils import timezone

from inventory.backoff import Backoff, Waiting
from inventory.drivers.exceptions import (
    CloudError,
    CloudRefused,
    CloudUnavailable,
    CredentialsRefused,
    GroupNotFound,
    InstanceGone,
    Throttled,
)
from inventory.drivers.values import Group, Instance, Port
from inventory.leases import LeaseLost
from secgroups.plan import Change, Plan, plan
from secgroups.port_writer import PortWriter
from tests.clouds import (
    Clock,
    Event,
    Grip,
    Heard,
    MemoryCloud,
    fail,
    forget,
    go,
    ignore,
    meanwhile,
    refuse,
    throttle,
    unavailable,
)

WEB, DB, OPS = (Group(f"sg-{name}", name, network_ref="vpc-1") for name in ("web", "db", "ops"))
BEFORE = {"p1": ("sg-web",), "p2": ("sg-web",)}
AFTER = {"p1": ("sg-web", "sg-db"), "p2": ("sg-web", "sg-db")}
LOST = [fail(CloudUnavailable("No answer.")), fail(Throttled("Slow down."))]


@pytest.fixture
def cloud() -> MemoryCloud:
    """An instance with two ports, each with the group web."""
    cloud = MemoryCloud()
    cloud.instance_list = [Instance("i-1", "vm-1", "on", "running")]
    cloud.group_list = [WEB, DB, OPS]
    cloud.port_list = [
        Port(ref, instance_ref="i-1", network_ref="vpc-1", group_refs=groups, revision="1")
        for ref, groups in BEFORE.items()
    ]
    return cloud


@pytest.fixture
def grip() -> Grip:
    return Grip()


@pytest.fixture
def waited() -> list[Waiting]:
    """What the writer said of its pauses."""
    return []


@pytest.fixture
def writer(cloud: MemoryCloud, grip: Grip, clock: Clock, waited: list[Waiting]) -> PortWriter:
    return PortWriter(cloud, "i-1", grip, Backoff(60), Heard(waited.append))


def adding_db(writer: PortWriter) -> Plan:
    """Read the ports, and plan to add the group db."""
    return plan("vm-1", writer.read(), [Change(1, "add", DB)])


def carry_out(writer: PortWriter, made: Plan) -> None:
    writer.apply(made, made.undone(writer.ports))


def names(cloud: MemoryCloud) -> list[str]:
    return [name for name, _ in cloud.calls]


def test_it_reads_writes_each_port_once_and_reads_back(writer: PortWriter, cloud: MemoryCloud) -> None:
    carry_out(writer, adding_db(writer))
    assert names(cloud) == ["ports", "change_groups", "change_groups", "ports"]
    assert cloud.groups_of("i-1") == AFTER == {port.ref: port.group_refs for port in writer.ports}
    assert writer.request_ids == {"p1": "req-1", "p2": "req-2"}


def test_it_writes_nothing_where_there_is_nothing_to_do(writer: PortWriter, cloud: MemoryCloud) -> None:
    carry_out(writer, plan("vm-1", writer.read(), [Change(1, "add", WEB)]))
    assert names(cloud) == ["ports"]


def test_a_write_that_took_effect_is_not_repeated_when_its_answer_was_lost(
    writer: PortWriter, cloud: MemoryCloud, clock: Clock
) -> None:
    cloud.script("change_groups", go, unavailable(done=True))
    carry_out(writer, adding_db(writer))
    assert [ref for ref, _ in cloud.called("change_groups")] == ["p1", "p2"]
    assert cloud.groups_of("i-1") == AFTER
    assert not clock.pauses


@pytest.mark.parametrize("event", LOST)
def test_a_write_that_did_not_take_effect_is_repeated_after_a_pause(
    event: Event, writer: PortWriter, cloud: MemoryCloud, clock: Clock, waited: list[Waiting]
) -> None:
    cloud.script("change_groups", go, event)
    carry_out(writer, adding_db(writer))
    assert [ref for ref, _ in cloud.called("change_groups")] == ["p1", "p2", "p2"]
    assert cloud.groups_of("i-1") == AFTER
    assert len(clock.pauses) == len(waited) == 1


def test_it_pauses_for_as_long_as_the_cloud_asks(writer: PortWriter, cloud: MemoryCloud, clock: Clock) -> None:
    cloud.script("ports", throttle(7))
    cloud.script("change_groups", throttle(11))
    carry_out(writer, adding_db(writer))
    assert clock.now == 7 + 11
    assert cloud.groups_of("i-1") == AFTER


class TestWhatOthersDoMeanwhile:
    """On a cloud that replaces a list without comparing it."""

    def test_it_is_kept_if_they_do_it_during_a_pause(self, cloud: MemoryCloud, clock: Clock) -> None:
        patient = PortWriter(
            cloud,
            "i-1",
            Grip(),
            Backoff(60),
            Heard(lambda _: cloud.set_port("p1", group_refs=("sg-web", "sg-ops"))),
        )
        cloud.script("change_groups", throttle(11))
        carry_out(patient, adding_db(patient))
        assert set(cloud.groups_of("i-1")["p1"]) == {"sg-web", "sg-ops", "sg-db"}

    def test_it_is_kept_if_they_do_it_during_a_slow_write_of_another_port(
        self, writer: PortWriter, cloud: MemoryCloud, clock: Clock
    ) -> None:
        def slowly() -> None:
            cloud.set_port("p2", group_refs=("sg-web", "sg-ops"))
            clock.now += 5

        cloud.script("change_groups", meanwhile(slowly))
        carry_out(writer, adding_db(writer))
        assert set(cloud.groups_of("i-1")["p2"]) == {"sg-web", "sg-ops", "sg-db"}

    def test_it_is_kept_if_they_do_it_long_after_the_reading(
        self, writer: PortWriter, cloud: MemoryCloud, clock: Clock
    ) -> None:
        made = adding_db(writer)
        cloud.set_port("p1", group_refs=("sg-web", "sg-ops"))
        clock.now += 5
        carry_out(writer, made)
        assert set(cloud.groups_of("i-1")["p1"]) == {"sg-web", "sg-ops", "sg-db"}


def test_a_reading_that_fails_for_a_while_is_repeated(writer: PortWriter, cloud: MemoryCloud) -> None:
    cloud.script("ports", unavailable(), go, unavailable(), unavailable())
    carry_out(writer, adding_db(writer))
    assert len(cloud.called("change_groups")) == 2
    assert cloud.groups_of("i-1") == AFTER


def test_the_time_of_a_reading_is_from_before_it_began(writer: PortWriter, cloud: MemoryCloud) -> None:
    asked_on = []
    cloud.script("ports", meanwhile(lambda: asked_on.append(timezone.now())))
    writer.read()
    assert writer.read_on is not None
    assert writer.read_on <= asked_on[0]


@pytest.mark.parametrize("event", [*LOST, ignore])
def test_when_its_patience_is_over_the_error_says_why(
    event: Event, writer: PortWriter, cloud: MemoryCloud
) -> None:
    cloud.script("change_groups", *[event] * 200)
    with pytest.raises(CloudError) as raised:
        carry_out(writer, adding_db(writer))
    assert not raised.value.permanent
    assert cloud.groups_of("i-1") == BEFORE


def test_it_says_that_a_cloud_does_not_show_what_it_accepted(writer: PortWriter, cloud: MemoryCloud) -> None:
    cloud.script("change_groups", *[ignore] * 200)
    with pytest.raises(CloudUnavailable, match="The cloud accepted the change, but does not show it"):
        carry_out(writer, adding_db(writer))


def test_a_cloud_that_shows_the_change_late_is_written_again(writer: PortWriter, cloud: MemoryCloud) -> None:
    cloud.script("change_groups", ignore, go)
    carry_out(writer, adding_db(writer))
    assert [ref for ref, _ in cloud.called("change_groups")] == ["p1", "p2", "p1"]
    assert cloud.groups_of("i-1") == AFTER


def test_a_pause_longer_than_its_patience_is_not_begun(
    writer: PortWriter, cloud: MemoryCloud, clock: Clock
) -> None:
    cloud.script("change_groups", throttle(61))
    with pytest.raises(Throttled):
        carry_out(writer, adding_db(writer))
    assert not clock.pauses


@pytest.mark.parametrize("error", [CloudRefused("Too many groups."), CredentialsRefused("You may not.")])
def test_what_was_written_before_a_refusal_is_taken_back(
    error: CloudError, writer: PortWriter, cloud: MemoryCloud
) -> None:
    cloud.script("change_groups", go, fail(error))
    with pytest.raises(type(error)) as raised:
        carry_out(writer, adding_db(writer))
    assert raised.value is error
    assert cloud.groups_of("i-1") == BEFORE == {port.ref: port.group_refs for port in writer.ports}
    assert cloud.called("change_groups")[-1] == ("p1", ("sg-web",))


def test_taking_back_keeps_what_others_did_meanwhile(writer: PortWriter, cloud: MemoryCloud) -> None:
    def others() -> None:
        cloud.set_port("p1", group_refs=(*cloud.port("p1").group_refs, "sg-ops"))

    cloud.script("change_groups", go, meanwhile(others, refuse()))
    with pytest.raises(CloudRefused):
        carry_out(writer, adding_db(writer))
    assert cloud.groups_of("i-1") == {"p1": ("sg-web", "sg-ops"), "p2": ("sg-web",)}


def test_a_refusal_of_the_first_write_needs_nothing_taken_back(writer: PortWriter, cloud: MemoryCloud) -> None:
    cloud.script("change_groups", refuse())
    with pytest.raises(CloudRefused):
        carry_out(writer, adding_db(writer))
    assert len(cloud.called("change_groups")) == 1
    assert cloud.groups_of("i-1") == BEFORE


def test_taking_back_goes_on_through_a_bad_moment(writer: PortWriter, cloud: MemoryCloud) -> None:
    cloud.script("change_groups", go, refuse(), unavailable(), throttle(3))
    with pytest.raises(CloudRefused):
        carry_out(writer, adding_db(writer))
    assert cloud.groups_of("i-1") == BEFORE


def test_what_others_put_on_a_port_between_reading_and_writing_is_kept(
    writer: PortWriter, cloud: MemoryCloud
) -> None:
    """Where the cloud can tell: it refuses a write that names an old revision."""
    cloud.guards_revisions = True
    planned = adding_db(writer)
    cloud.set_port("p2", group_refs=("sg-ops",))
    carry_out(writer, planned)
    assert cloud.groups_of("i-1") == {"p1": ("sg-web", "sg-db"), "p2": ("sg-ops", "sg-db")}


def test_a_fresh_group_that_is_not_found_yet_is_waited_for(
    writer: PortWriter, cloud: MemoryCloud, waited: list[Waiting]
) -> None:
    writer.waits_for_group = lambda: True
    cloud.script("change_groups", forget("sg-db"), forget("sg-db"))
    carry_out(writer, adding_db(writer))
    assert cloud.groups_of("i-1") == AFTER
    assert [one.error.message for one in waited] == ["There is no group sg-db."] * 2


def test_an_old_group_that_is_not_found_is_not_waited_for(
    writer: PortWriter, cloud: MemoryCloud, clock: Clock
) -> None:
    cloud.script("change_groups", go, forget("sg-db"))
    with pytest.raises(GroupNotFound):
        carry_out(writer, adding_db(writer))
    assert not clock.pauses
    assert cloud.groups_of("i-1") == BEFORE


def test_an_instance_that_is_gone_is_not_waited_for(writer: PortWriter, cloud: MemoryCloud, clock: Clock) -> None:
    cloud.terminate("i-1")
    with pytest.raises(InstanceGone):
        writer.read()
    assert not clock.pauses
    assert writer.read_on is None


def test_without_the_lease_nothing_is_written(writer: PortWriter, cloud: MemoryCloud, grip: Grip) -> None:
    planned = adding_db(writer)
    grip.lose()
    with pytest.raises(LeaseLost):
        carry_out(writer, planned)
    assert not cloud.called("change_groups")


def test_a_lease_that_is_lost_between_two_ports_stops_the_second_write(
    writer: PortWriter, cloud: MemoryCloud, grip: Grip
) -> None:
    cloud.script("change_groups", meanwhile(grip.lose))
    with pytest.raises(LeaseLost):
        carry_out(writer, adding_db(writer))
    assert [ref for ref, _ in cloud.called("change_groups")] == ["p1"]


def test_a_lease_that_is_lost_during_a_pause_stops_everything(
    writer: PortWriter, cloud: MemoryCloud, grip: Grip
) -> None:
    cloud.script("ports", go, meanwhile(grip.lose, unavailable()))
    with pytest.raises(LeaseLost):
        carry_out(writer, adding_db(writer))
    assert len(cloud.called("ports")) == 2


def test_nothing_is_taken_back_without_the_lease(writer: PortWriter, cloud: MemoryCloud, grip: Grip) -> None:
    cloud.script("change_groups", go, meanwhile(grip.lose, refuse()))
    with pytest.raises(LeaseLost):
        carry_out(writer, adding_db(writer))
    assert len(cloud.called("change_groups")) == 2
