"""What manageiq-client does here, unchanged: `with_manageiq_client.py NAME` runs one of these functions.

It runs in the client's own environment, which has nothing of Portcullis: it says by its exit status how it went.
"""

import os
import sys
import time

from manageiq_client.api import APIException, ManageIQClient
from manageiq_client.filters import Q

URL = os.environ["API_URL"] + "/api"
LOGIN = {"user": os.environ["API_USER"], "password": os.environ["API_PASSWORD"]}
CLOUD = {
    "type": "ManageIQ::Providers::Amazon::CloudManager",
    "provider_region": "eu-west-1",  # where there is nothing but what every account begins with
    "connection_configurations": [
        {
            "endpoint": {"role": "default", "url": os.environ["CLOUD_URL"]},
            "authentication": {"authtype": "default", "userid": "AKIDTEST", "password": "secret"},
        }
    ],
}


def refused(call, *words):
    try:
        call()
    except APIException as error:
        said = str(error)
    else:
        raise AssertionError("it was not refused")
    assert all(word in said for word in words), said


def finished(task):
    """The task, once it is."""
    task.wait_exists(timeout=10)
    while task.state != "Finished":
        time.sleep(0.1)
        task.reload()
    return task


def quiet(api):
    """Until nothing is read any more."""
    while len(api.collections.tasks.filter(Q("state", "!=", "Finished"))):
        time.sleep(0.1)


def groups_of(instance):
    instance.reload(expand="security_groups")
    return sorted(group["name"] for group in instance._data["security_groups"])


def it_reads_the_entry_point(api):
    assert (api.name, api.version, api.latest_version) == ("API", "1.0.0", "1.0.0")
    assert api.on_latest_version
    assert api.identity["userid"] == LOGIN["user"]
    assert {"instances", "providers", "security_groups", "zones"} <= set(api.collections.all_names)
    assert "providers" in api.collections
    versioned = api.api_version("1.0.0")
    assert "/api/v1.0.0/" in versioned.collections.vms[0]._href


def it_logs_in_with_a_token(api):
    token = api.get(f"{URL}/auth")["auth_token"]
    assert ManageIQClient(URL, {"token": token}).collections.instances.count == 2
    refused(
        lambda: ManageIQClient(URL, {"token": "wrong"}), "Api::UnauthorizedError", "Invalid Authentication Token"
    )
    refused(lambda: ManageIQClient(URL, ("admin", "wrong")), "Api::UnauthorizedError")


def it_reads_collections_in_every_way(api):
    instances = api.collections.instances
    assert (instances.count, len(instances)) == (2, 2)
    assert sorted(one.name for one in instances) == sorted(one.name for one in instances.all) == ["back", "front"]
    assert instances[0].name in {"back", "front"}
    named = instances.all_include_attributes(["name", "total_security_groups"])
    assert all(hasattr(one, "total_security_groups") for one in named)
    instances.reload(expand="resources", attributes="name")
    assert len(instances.query_string(limit=1)) == 1
    assert [one.name for one in instances.query_string(sort_by="name", sort_order="desc")] == ["front", "back"]
    assert "security_groups" in instances.subcollections
    assert "power_state" in instances.options()["attributes"]


def it_finds_and_filters(api):
    groups = api.collections.security_groups
    assert groups.get(name="web").name == "web"
    assert [one.name for one in groups.find_by(name="web")] == ["web"]
    either = groups.filter(Q("name", "=", "mail") | Q("name", "=", "cache"))
    assert sorted(one.name for one in either) == ["cache", "mail"]
    both = groups.filter(Q("name", "=", "web") & Q("total_vms", ">=", 2))
    assert [one.name for one in both] == ["web"]
    assert len(groups.filter(Q("name", "!=", None))) == groups.count
    assert [one.name for one in groups.raw_filter(["name='w*'"])] == ["web"]
    for operator in ("<", "<=", ">", ">="):
        groups.filter(Q("id", operator, 1))
    try:
        groups.get(name='it\'s "neither"')
    except ValueError:
        pass
    else:
        raise AssertionError("found what is not there")
    refused(lambda: groups.find_by(colour="red"), "attribute SecurityGroup-colour does not exist")


def it_walks_from_an_entity_to_others(api):
    front = api.collections.instances.get(name="front")
    assert front.exists
    assert front.created_on.year >= 2025
    assert front.ems.name == "cloud"
    assert {"web"} <= {group.name for group in front.security_groups}
    assert "security_groups" in front.subcollections
    assert api.collections.instances(front.id).name == "front"
    assert api.get_entity("instances", front.id, attributes=["name"]).name == "front"
    assert api.collections.vms(front.id).name == "front"
    assert not api.collections.instances(999999).exists
    assert not hasattr(front, "colours")
    front.reload(attributes=["name", "ext_management_system.name"])
    assert front.ext_management_system["name"] == "cloud"


def it_queries_in_bulk(api):
    instances = api.collections.instances
    known = [one.id for one in instances.all]
    found = instances.action.query(*({"id": pk} for pk in known))
    assert [one.id for one in found] == known
    assert "query" in instances.action
    assert instances.action.all


def it_adds_and_removes_groups_and_waits(api):
    front = api.collections.instances.get(name="front")
    groups = front.security_groups
    assert {"add", "remove"} <= set(groups.action.all)
    answer = groups.action.execute_action("add", {"name": "mail"}, {"name": "cache"})
    results = api.response.json()["results"]
    assert [one.name for one in answer] == ["front", "front"]
    for result in results:
        task = finished(api.get_entity("tasks", result["task_id"]))
        assert (task.status, task.state) == ("Ok", "Finished"), task.message
    assert groups_of(front) == ["cache", "mail", "web"]
    groups.action.remove(name="mail")
    finished(api.get_entity("tasks", api.response.json()["results"][0]["task_id"]))
    groups.action.remove(groups.get(name="cache"))
    finished(api.get_entity("tasks", api.response.json()["results"][0]["task_id"]))
    assert groups_of(front) == ["web"]
    refused(lambda: api.post(f"{front._href}/security_groups", action="fly"), "Unsupported Action fly")


def it_connects_edits_refreshes_and_removes_providers(api):
    providers = api.collections.providers
    [made] = providers.action.create(CLOUD | {"name": "python"})
    assert providers.get(name="python").id == made.id
    made.action.refresh()
    assert finished(api.get_entity("tasks", api.response.json()["task_id"])).status == "Ok"
    made.action.edit(name="python 2")
    made.action.edit.PATCH({"action": "edit", "path": "name", "value": "python 3"})
    made.action.edit.PUT(name="python 4")
    made.reload()
    assert made.name == "python 4"
    both = providers.action.create(CLOUD | {"name": "python a"}, CLOUD | {"name": "python b"})
    providers.action.edit(*both, enabled=False)
    assert [one.enabled for one in providers.raw_filter(["name='python ?'", "or name='python a'"])] == [False]
    providers.action.refresh(made)
    quiet(api)
    both[0].action.delete.DELETE()
    both[1].action.delete()
    providers.action.delete(made)
    for one in (*both, made):
        one.wait_not_exists(timeout=30, delay=0.2)
    refused(
        lambda: providers.action.create(name="x", type="nonsense", credentials={}), "type: nonsense is not one of"
    )
    refused(lambda: providers.action.create(name="cloud", **CLOUD), "already exists")


def it_works_with_tasks(api):
    tasks = api.collections.tasks
    old = tasks.find_by(state="Finished")[0]
    assert old.name
    old.action.delete()
    assert not old.exists
    assert "cancel" in tasks[0].action


def it_makes_and_deletes_groups_of_a_provider(api):
    cloud = api.collections.providers.get(name="cloud")
    cloud.security_groups.action.create(name="python group", description="made by manageiq-client")
    made = finished(api.get_entity("tasks", api.response.json()["results"][0]["task_id"]))
    assert made.status == "Ok", made.message
    group = api.collections.security_groups.get(name="python group")
    rules = group.firewall_rules
    rules.action.create(direction="inbound", host_protocol="tcp", port=22, source_ip_range="10.0.0.0/8")
    assert finished(api.get_entity("tasks", api.response.json()["results"][0]["task_id"])).status == "Ok"
    group.action.delete()
    gone = finished(api.get_entity("tasks", api.response.json()["task_id"]))
    assert gone.status == "Ok", gone.message
    assert not group.exists


if __name__ == "__main__":
    globals()[sys.argv[1]](ManageIQClient(URL, LOGIN))
