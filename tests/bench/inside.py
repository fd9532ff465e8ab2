"""What is done in Django, in a process of its own for each database: `python -m tests.bench.inside account`.

`account` makes a user who may see everything and change the groups of instances, and is no superuser; it prints a
token. `queries TOKEN PATH...` prints how many queries each of these reads takes, once it was made before.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from typing import Any

USER, PASSWORD = "bench", "correct horse"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def account() -> str:
    from django.contrib.auth.models import Permission, User
    from django.test import Client

    from tests.bench.cases import HOST

    user = User.objects.create_user(USER, password=PASSWORD)
    apps = Permission.objects.filter(content_type__app_label__in=["inventory", "secgroups"])
    user.user_permissions.set(
        apps.filter(codename__startswith="view_") | apps.filter(codename="change_vm_security_groups")
    )
    answer = Client(HTTP_HOST=HOST).get(
        "/api/auth", {"requester_type": "ui"}, headers={"Authorization": f"Basic {BASIC}"}
    )
    token: str = answer.json()["auth_token"]
    return token


def queries(token: str, *paths: str) -> dict[str, int]:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from tests.bench.cases import HOST

    client = Client(HTTP_HOST=HOST, headers={"X-Auth-Token": token})
    counts = {}
    for path in paths:
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(path)
        assert answer.status_code == 200, answer.content
        counts[path] = len(captured)
    return counts


WHAT: dict[str, Any] = {"account": account, "queries": queries}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")

    import django

    django.setup()
    what, *arguments = sys.argv[1:]
    print(json.dumps(WHAT[what](*arguments)))  # noqa: T201


if __name__ == "__main__":
    main()
