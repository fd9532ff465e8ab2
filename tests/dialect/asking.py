"""What the checks of the dialect share: requests that must be answered as expected, and VMs by name."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.test import Client

from inventory.models import Provider, Vm
from tests.cast import AMAZON
from tests.dialect import callers

Answer = dict[str, Any]


def ask(client: Client, method: str, path: str, body: Any = None, *, status: int = 200, **query: Any) -> Answer:
    """The JSON that answers a request below /api; empty where there is none."""
    url = path if "://" in path else f"/api{path}"
    found: Answer = callers.ask(
        client, method, f"{url}?{urlencode(query, doseq=True)}" if query else url, body, status
    )
    return found or {}


def get(client: Client, path: str, *, status: int = 200, **query: Any) -> Answer:
    return ask(client, "get", path, status=status, **query)


def post(client: Client, path: str, body: Any = None, *, status: int = 200, **query: Any) -> Answer:
    return ask(client, "post", path, body, status=status, **query)


def refusal(client: Client, path: str, *, status: int = HTTPStatus.BAD_REQUEST, **query: Any) -> str:
    """The message of a read that is refused."""
    return str(get(client, path, status=status, **query)["error"]["message"])


def filtered(client: Client, *filters: str, path: str = "/vms", **query: Any) -> list[str]:
    """The names of what the filters leave, by id."""
    found = get(client, path, **{"filter[]": filters, "expand": "resources"} | query)
    return [one["name"] for one in found["resources"]]


def names(answer: Answer) -> list[str]:
    """Of the resources of a list."""
    return [one["name"] for one in answer["resources"]]


def counts(answer: Answer) -> tuple[int, int]:
    """How many a list shows, of how many."""
    return answer["subcount"], answer["count"]


def vms(*names: str, **attributes: Any) -> list[Vm]:
    """VMs of one provider by these names, alike in the attributes."""
    provider, _ = Provider.objects.get_or_create(name="acme", defaults={"vendor": AMAZON})
    return [
        Vm.objects.create(
            **{
                "provider": provider,
                "ems_ref": f"i-{name}",
                "name": name,
                "vendor": AMAZON,
            }
            | attributes
        )
        for name in names
    ]


def caller(client: Client, *permissions: str) -> User:
    """Log in a user with these permissions and no other."""
    user = callers.user(*permissions, userid="caller")
    client.force_login(user)
    return user
