"""How the checks of the dialect ask: as a user who may do just this, and for the answer of a status."""

from __future__ import annotations

import json
from base64 import b64encode
from http import HTTPStatus
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client

from tests.contracts import grant

PASSWORD = "a good one"
#: Of the entry point, what clients look for.
ENTRY_POINT = {"name", "description", "version", "versions", "identity", "collections"}


def user(*permissions: str, userid: str = "api_user", groups: tuple[str, ...] = ()) -> User:
    made = User.objects.create_user(userid, password=PASSWORD, first_name="Api", last_name="User")
    made.groups.add(*(Group.objects.get_or_create(name=name)[0] for name in groups))
    return grant(made, *permissions)


def may(client: Client, *permissions: str) -> Client:
    """The client of a user who has these permissions and no others."""
    client.force_login(user(*permissions))
    return client


def basic(userid: str = "api_user", password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{userid}:{password}".encode()).decode()}


def ask(
    client: Client, method: str, url: str, body: Any = None, status: int = HTTPStatus.OK, **headers: str
) -> Any:
    """What is answered, with this status; `body` is sent as JSON."""
    sent = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = getattr(client, method)(url, headers=named, **sent)
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content else None


def refusal(client: Client, method: str, url: str, body: Any = None, status: int = HTTPStatus.BAD_REQUEST) -> str:
    """Why something is refused as a whole."""
    error = ask(client, method, url, body, status)["error"]
    assert error.keys() == {"kind", "message", "klass"}
    return str(error["message"])
