"""What is done in Django, in a process of its own for each database: `python -m tests.bench.inside account`.

`account` makes a user who may see everything and change the groups of instances, and is no superuser; it prints a
token. `queries TOKEN PATH...` prints how many queries each of these reads takes, once it was made before.
`busy GROUPS RULES` makes an instance with so many new groups of so many rules each, one of which names the largest
group; it prints the ids of the instance and of another new group.
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


def busy(groups: str, rules: str) -> dict[str, int]:
    from django.db.models import Count

    from inventory.models import NetworkPort
    from secgroups.models import FirewallRule, Membership, SecurityGroup

    counts = Membership.objects.values("security_group").annotate(number=Count("pk")).order_by("-number")
    largest = SecurityGroup.objects.get(pk=counts[0]["security_group"])
    port = NetworkPort.objects.filter(provider=largest.provider, vm__isnull=False).earliest("pk")
    place = {"provider": largest.provider, "vendor": largest.vendor, "cloud_tenant": largest.cloud_tenant}
    place["cloud_network"] = port.cloud_network if largest.cloud_network else None
    names = [f"busy-{number}" for number in range(int(groups) + 1)]
    *own, other = [SecurityGroup.objects.create(ems_ref=f"sg-{name}", name=name, **place) for name in names]
    Membership.objects.filter(network_port=port).delete()
    for first, group in zip(range(0, int(groups) * int(rules), int(rules)), own, strict=True):
        Membership.objects.create(security_group=group, network_port=port, vm=port.vm)
        FirewallRule.objects.bulk_create(
            FirewallRule(
                provider=largest.provider,
                security_group=group,
                ems_ref=f"{group.ems_ref}-{number}",
                direction="inbound",
                network_protocol="IPV4",
                host_protocol="tcp",
                port=first + number,
                end_port=first + number,
                source_ip_range=f"10.{number}.0.0/16" if number else None,
                source_security_group=None if number else largest,
            )
            for number in range(int(rules))
        )
    return {"busy": port.vm_id, "group": other.pk}


WHAT: dict[str, Any] = {"account": account, "queries": queries, "busy": busy}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")

    import django

    django.setup()
    what, *arguments = sys.argv[1:]
    print(json.dumps(WHAT[what](*arguments)))  # noqa: T201


if __name__ == "__main__":
    main()
