"""What is for a while ends by itself: a real worker, a real scheduler, and an EC2 endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.service import Service, until
from tests.e2e.test_standalone import connect, groups_path, interfaces
from tests.live.ec2 import Cast

pytestmark = pytest.mark.e2e


def taken_back(service: Service) -> Any:
    """The task that took it back, once there is no expiration any more."""
    until(lambda: not service.get("/api/instances?limit=1").get("error") and not counted(service), seconds=60)
    events = service.get("/api/event_streams?event_type=expiration_ended&expand=resources")["resources"]
    return [service.get(f"/api/tasks/{event['task_id']}") for event in events]


def counted(service: Service) -> int:
    events = service.get("/api/event_streams?event_type=expiration_created")["subquery_count"]
    ended = service.get("/api/event_streams?event_type=expiration_ended")["subquery_count"]
    return int(events - ended)


def add(service: Service, groups: str, duration: str) -> Any:
    body = {"action": "add", "resource": {"name": "db", "for": duration, "reason": "to look at the queue"}}
    [result] = service.post(groups, body)["results"]
    return service.task(result["task_id"])


def test_a_group_ends_by_itself(service: Service, ec2_url: str, ec2_api: Any) -> None:
    cloud = Cast(ec2_api)
    cloud.instance(cloud.web, interfaces=2)
    service.start()
    groups = groups_path(service, connect(service, ec2_url))

    task = add(service, groups, "2s")
    assert (task["status"], task["context_data"]["reason"]) == ("Ok", "to look at the queue")
    [ending] = taken_back(service)

    assert interfaces(ec2_api) == [{"web"}] * 2
    assert (ending["status"], ending["userid"]) == ("Ok", "system")
    assert ending["context_data"]["expiration"]["task_id"] == task["id"]
    assert ending["created_on"] >= task["context_data"]["expires_on"][:19]  # not early


def test_it_ends_as_well_if_everything_was_killed_at_that_moment(
    service: Service, ec2_url: str, ec2_api: Any
) -> None:
    cloud = Cast(ec2_api)
    cloud.instance(cloud.web)
    service.start()
    groups = groups_path(service, connect(service, ec2_url))

    add(service, groups, "3s")
    assert interfaces(ec2_api) == [{"web", "db"}]
    service.kill()
    service.start(port=service.port)
    taken_back(service)

    assert interfaces(ec2_api) == [{"web"}]
