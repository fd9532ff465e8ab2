"""What is done in Django, in a process of its own for each database: `python -m tests.bench.inside account`.

`account` makes a user who may see everything and change the groups of instances, and is no superuser; it prints a
token. `queries TOKEN PATH...` prints how many queries each of these reads takes, once it was made before.
`busy INSTANCES GROUPS RULES` gives so many instances so many new groups of so many rules each, one of which names
the largest group; it prints the ids of each, and of groups that it can be given.
`granted GRANTS` makes a user with so many grants; it prints a token and ids of instances that they reach.
`exposures` prints the seconds that it takes to make all exposures, and those of one group after a change.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

#: How many groups one preview may be about.
MANY = 1_000
USER, PASSWORD = "bench", "correct horse"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def account() -> str:
    from django.contrib.auth.models import Permission, User
    from django.test import Client

    from tests.bench.cases import HOST

    user, is_new = User.objects.get_or_create(username=USER)
    if is_new:
        user.set_password(PASSWORD)
        user.save()
    apps = Permission.objects.filter(content_type__app_label__in=["inventory", "secgroups"])
    user.user_permissions.set(
        apps.filter(codename__startswith="view_") | apps.filter(codename="change_vm_security_groups")
    )
    answer = Client(HTTP_HOST=HOST).get(
        "/api/auth", {"requester_type": "ui"}, headers={"Authorization": f"Basic {BASIC}"}
    )
    token: str = answer.json()["auth_token"]
    return token


def granted(grants: str) -> dict[str, Any]:
    """A user with a grant on each of so many tenants, and instances of theirs."""
    from django.contrib.auth.models import Group, User
    from django.db.models import Count

    from inventory.models import CloudTenant, Grant, Instance
    from inventory.services import create_token

    user, group = User.objects.create_user("granted"), Group.objects.create(name="granted")
    user.groups.add(group)
    tenants = list(CloudTenant.objects.annotate(number=Count("vms")).order_by("-number")[: int(grants)])
    Grant.objects.bulk_create(
        Grant(group=group, role="operator", provider_id=tenant.provider_id, cloud_tenant=tenant)
        for tenant in tenants
    )
    instances = Instance.objects.filter(cloud_tenant__in=tenants).order_by("pk")
    _, token = create_token(user=user, name="bench")
    return {"token": token, "instances": [vm.pk for vm in instances[:50]]}


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


def busy(instances: str, groups: str, rules: str) -> list[dict[str, Any]]:
    from django.db.models import Count

    from inventory.models import NetworkPort
    from secgroups.models import Membership, SecurityGroup

    counts = Membership.objects.values("security_group").annotate(number=Count("pk")).order_by("-number")
    largest = SecurityGroup.objects.get(pk=counts[0]["security_group"])
    others = SecurityGroup.objects.filter(provider=largest.provider, cloud_network=largest.cloud_network)
    tenants = others.values("cloud_tenant").annotate(number=Count("pk")).order_by("-number")
    others = others.filter(cloud_tenant=tenants[0]["cloud_tenant"]).exclude(pk=largest.pk)
    others = others.exclude(name__startswith="busy-")  # of an earlier run
    free = list(others.order_by("pk").values_list("pk", flat=True)[:MANY])
    ports = NetworkPort.objects.filter(cloud_tenant=tenants[0]["cloud_tenant"], vm__isnull=False).order_by("pk")
    if largest.cloud_network:
        ports = ports.filter(cloud_network=largest.cloud_network)
    return [
        {"busy": port.vm_id, "group": free[number], "many": free}
        for number, port in enumerate(ports[: int(instances)])
        if _give_groups(port, largest, int(groups), int(rules))
    ]


def _give_groups(port: Any, largest: Any, groups: int, rules: int) -> bool:
    """Put a port into so many new groups, and into no other. Those of an earlier run go."""
    from secgroups.models import FirewallRule, Membership, SecurityGroup

    place = {name: getattr(largest, name) for name in ("provider", "vendor", "cloud_network")}
    place["cloud_tenant"] = port.cloud_tenant
    Membership.objects.filter(network_port=port).delete()
    SecurityGroup.objects.filter(name__startswith=f"busy-{port.pk}-").delete()
    for group_number in range(groups):
        name = f"busy-{port.pk}-{group_number}"
        group = SecurityGroup.objects.create(ems_ref=f"sg-{name}", name=name, **place)
        Membership.objects.create(security_group=group, network_port=port, vm=port.vm)
        FirewallRule.objects.bulk_create(
            FirewallRule(
                provider=largest.provider,
                security_group=group,
                ems_ref=f"{group.ems_ref}-{number}",
                direction="inbound",
                network_protocol="IPV4",
                host_protocol="tcp",
                port=group_number * rules + number,
                end_port=group_number * rules + number,
                source_ip_range=f"10.{number}.0.0/16" if number else None,
                source_security_group=None if number else largest,
            )
            for number in range(rules)
        )
    return True


def exposures() -> dict[str, float]:
    """The seconds that it takes to make all exposures anew, and those of one group after one change."""
    from django.db import transaction
    from django.db.models import Count, F

    from secgroups.exposures import settle_exposures, settle_leftovers
    from secgroups.models import Exposure, FirewallRule, Membership, TouchedGroup

    TouchedGroup.objects.all().delete()
    Exposure.objects.all().delete()
    FirewallRule.objects.update(direction=F("direction"))
    seconds = {"in full": _seconds(settle_leftovers)}
    rule = FirewallRule.objects.filter(direction="inbound", source_ip_range="0.0.0.0/0").earliest("pk")
    with transaction.atomic():
        rule.delete()
        seconds["after one rule"] = _seconds(lambda: settle_exposures(rule.provider_id))
    counts = Membership.objects.values("security_group").annotate(number=Count("pk")).order_by("-number")
    member = Membership.objects.filter(security_group=counts[0]["security_group"]).earliest("pk")
    with transaction.atomic():
        member.delete()
        seconds["after one membership of the largest group"] = _seconds(
            lambda: settle_exposures(member.security_group.provider_id)
        )
    return seconds


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


WHAT: dict[str, Any] = {
    "account": account,
    "queries": queries,
    "busy": busy,
    "exposures": exposures,
    "granted": granted,
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")

    import django

    django.setup()
    what, *arguments = sys.argv[1:]
    print(json.dumps(WHAT[what](*arguments)))  # noqa: T201


if __name__ == "__main__":
    main()
