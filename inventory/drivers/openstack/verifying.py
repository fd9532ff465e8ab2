"""Tests what an OpenStack user may do, without doing it.

Neutron has no dry run. But it checks its policy first, and then `If-Match`: a write with an impossible revision is
403 without the permission, and 412 with it. As a second safeguard, the write would change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from inventory.drivers.exceptions import CloudError, CredentialsRefused, NotAllowed, Outdated
from inventory.drivers.openstack.client import Client, Service
from inventory.drivers.values import Check

#: Service, path and key of each list, and what it lists.
LISTS: tuple[tuple[Service, str, str, str], ...] = (
    ("compute", "/servers/detail", "servers", "instances"),
    ("network", "/ports", "ports", "ports"),
    ("network", "/security-groups", "security_groups", "security groups"),
    ("network", "/security-group-rules", "security_group_rules", "firewall rules"),
    ("network", "/networks", "networks", "networks"),
)
#: How much of a list to search for a thing of the own project.
PAGE = 1000
NEVER = {"If-Match": "revision_number=-1"}


def checks(client: Client) -> Iterator[Check]:
    """Raises `CredentialsRefused` if the credentials are no longer valid."""
    for service, path, key, resources in LISTS:
        name = f"list {resources}"
        try:
            next(client.read(service, path, key, limit=1), None)
            yield Check(name, True, f"May {name}.", needed=True)
        except NotAllowed as error:
            yield Check(name, False, f"May not {name}. {error}", needed=True)
    yield _every_project(client)
    yield _change(client, "ports", "security_groups", "add and remove security groups")
    yield _change(client, "security-groups", "description", "create, edit and delete security groups and rules")


def _every_project(client: Client) -> Check:
    project = client.own_project()
    try:
        next(client.read("compute", "/servers/detail", "servers", all_tenants=1, limit=1), None)
        return Check("see every project", True, "Sees every project.")
    except CredentialsRefused:
        return Check("see every project", False, f"Sees only the project {project['name']}.")


def _change(client: Client, collection: str, attribute: str, name: str) -> Check:
    """Whether a thing may be written, preferably of the own project. Other writes need the same role."""
    item = _one(client, collection, attribute)
    if item is None:
        return Check(name, None, f"Unknown whether this user may {name}: there are no {collection} to test it on.")
    try:
        key = collection.replace("-", "_").removesuffix("s")
        client.write("PUT", f"/{collection}/{item['id']}", {key: {attribute: item.get(attribute)}}, key, **NEVER)
    except NotAllowed as error:
        return Check(name, False, f"May not {name}. The user needs another role, such as member. {error}")
    except Outdated:
        pass
    except CloudError as error:
        return Check(name, None, f"Unknown whether this user may {name}. {error}")
    return Check(name, True, f"May {name}.")


def _one(client: Client, collection: str, attribute: str) -> dict[str, Any] | None:
    # Without a filter by project, which would make its default group: hence a page of those that are seen.
    listing = client.read(
        "network", f"/{collection}", collection.replace("-", "_"), fields=("id", "project_id", attribute)
    )
    items = list(islice(listing, PAGE))
    own_items = (item for item in items if item.get("project_id") == client.project_ref)
    return next(own_items, items[0] if items else None)
