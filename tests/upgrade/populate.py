"""The script that made the dumps: it fills an empty database and prints it as SQL. It runs in the old checkout.

    git worktree add --detach ../old f3d7f62 && cd ../old
    export PYTHONPATH=. DJANGO_SETTINGS_MODULE=settings.test CREDENTIALS_KEY=<KEY of tests/upgrade/conftest.py>
    DATABASE_URL=sqlite:////<folder>/old.sqlite3 python <this file> > f3d7f62.sqlite.sql
    DATABASE_URL=postgres://... python <this file> > f3d7f62.postgresql.sql

Everything unfinished was accepted by the services of that commit. What is `Active` was begun by its engine, whose
worker then died.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from inventory.tallies import fold_tallies  # noqa: E402
from inventory.work import work_off  # noqa: E402
from knox.crypto import hash_token  # noqa: E402

from inventory.drivers.values import Scope  # noqa: E402
from inventory.models import (  # noqa: E402
    AuthToken,
    CallRate,
    CloudTenant,
    IdempotencyKey,
    Lease,
    NetworkPort,
    Provider,
    Task,
    Vm,
)
from inventory.services import finish, request_refresh  # noqa: E402
from inventory.services.providers import request_refresh_of  # noqa: E402
from secgroups.models import FirewallRule, Membership, SecurityGroup  # noqa: E402
from secgroups.services import (  # noqa: E402
    Asked,
    group_creation,
    group_deletion,
    group_edit,
    request_changes,
    request_edits,
    rule_creation,
    rule_deletion,
)
from tests import cast as actors  # noqa: E402
from tests.clouds import MemoryCloud, go, mirror  # noqa: E402

OPENSTACK = "ManageIQ::Providers::Openstack::CloudManager"
LONG = "n" * 255
TOKEN = "0" * 64
IPV6 = {"network_protocol": "IPV6", "source_ip_range": "::/0"}
RULE = {"direction": "inbound", "network_protocol": "IPV4", "source_ip_range": "10.0.0.0/8"}


def main() -> None:
    call_command("migrate", verbosity=0)
    admin = users()
    acme = actors.enter()
    rest_of_amazon(acme)
    fold_tallies()  # the rest stays as it was appended
    private = openstack()
    others()
    private_groups = {group.ems_ref: group for group in private.security_groups.all()}
    begun(acme, admin)
    queued(acme, private, private_groups, admin)
    of_the_past(acme.acme, admin)
    sys.stdout.writelines(dump())


# Who


def users() -> User:
    admin = User.objects.create_superuser("admin", "admin@example.org", "secret")
    operator = User.objects.create_user("operator", password="secret")
    operators = Group.objects.create(name="operators")
    operators.permissions.set(
        Permission.objects.filter(
            codename__in=["view_vm", "view_securitygroup", "view_task", "change_vm_security_groups"]
        )
    )
    operator.groups.add(operators)
    AuthToken.objects.create(user=operator, ttl=timedelta(minutes=10))
    AuthToken.objects.filter(user=operator).update(
        digest=hash_token(TOKEN), token_key=TOKEN[:15], expiry=datetime(2999, 1, 1, tzinfo=UTC)
    )
    return admin


# What


def rest_of_amazon(acme: actors.Cast) -> None:
    provider, production = acme.acme, acme.production
    provider.credentials = {"userid": "AKIDOLD", "password": "old secret"}
    provider.provider_region = "eu-west-1"
    provider.last_refresh_date = timezone.now()
    provider.save()
    actors.group(production.network, "unused")
    SecurityGroup.objects.filter(name="unused").update(description="nothing has it")
    for number, protocol in enumerate(["tcp", "58", "icmpv6", "50", None]):
        a_rule(production.web, f"sgr-{number}", host_protocol=protocol)
    a_rule(production.web, "sgr-group", source_ip_range=None, source_security_group=production.db)
    a_rule(production.web, "sgr-list", source_ip_range="pl-1")
    actors.rule(production.db, 5432)
    long = actors.vm(
        production.network, "long", groups=[actors.group(production.network, LONG, ems_ref="sg-long")]
    )
    Vm.objects.filter(pk=long.pk).update(name=LONG, description=LONG, flavor_name="t3.small")
    NetworkPort.objects.filter(vm=long).update(name=LONG, ipaddresses=["10.0.0.9", "fd00::9"])
    actors.port(None, production.network, "eni-of-a-balancer", [production.default])


def openstack() -> Provider:
    """Three tenants, one of which shares a group, and what is left of a fourth."""
    provider = actors.provider(
        "private",
        type=OPENSTACK,
        url="http://127.0.0.1:9/identity",
        project="admin",
        uid_ems="default",
        credentials={"userid": "portcullis", "password": "old secret"},
    )
    alpha, beta, *_ = (actors.tenant(provider, name) for name in ("alpha", "beta", "gamma"))
    for tenant in (alpha, beta, None):
        name = tenant.name if tenant else "nobody"
        default, web = (a_group(provider, tenant, name, of) for of in ("default", "web"))
        vm = Vm.objects.create(
            provider=provider,
            ems_ref=f"server-{name}",
            name=f"{name}-1",
            vendor="openstack",
            type=f"{OPENSTACK}::Vm",
            cloud_tenant=tenant,
            power_state="on",
            raw_power_state="ACTIVE",
        )
        port = NetworkPort.objects.create(provider=provider, ems_ref=f"port-{name}", vm=vm, cloud_tenant=tenant)
        Membership.objects.create(security_group=default, network_port=port, vm=vm)
        for protocol in ("6", "17", "1", "58", "ipv6-icmp", "112", "vrrp", "99", "ip", "ipip", "tcp", None):
            a_rule(web, f"rule-{name}-{protocol}", host_protocol=protocol)
        for protocol in ("1", "icmp"):
            a_rule(web, f"rule-{name}-of-ipv6-{protocol}", host_protocol=protocol, **IPV6)
    SecurityGroup.objects.get(ems_ref="group-alpha-web").shared_with.add(beta)
    a_group(provider, alpha, "alpha", "for-all", shared=True, stateful=False)
    return provider


def others() -> None:
    """One that Portcullis can't talk to, a file, and one that is disabled."""
    vsphere = actors.provider("vsphere", type="ManageIQ::Providers::Vmware::InfraManager")
    Vm.objects.create(provider=vsphere, ems_ref="vm-1", name="on-vsphere", vendor="vmware", type="Vm", cloud=False)
    file = actors.provider("picture", type="ManageIQ::Providers::File::CloudManager", url="file:///picture.json")
    actors.tenant(file)
    group = a_group(file, file.cloud_tenants.get(), "picture", "web")
    for protocol in ("any", "TCP", "-1", "0", "6"):
        a_rule(group, f"rule-{protocol}", host_protocol=protocol)
    actors.provider("asleep", enabled=False)


def a_group(
    provider: Provider, tenant: CloudTenant | None, where: str, name: str, **attributes: Any
) -> SecurityGroup:
    return SecurityGroup.objects.create(
        provider=provider,
        ems_ref=f"group-{where}-{name}",
        name=name,
        type="ManageIQ::Providers::Openstack::NetworkManager::SecurityGroup",
        cloud_tenant=tenant,
        **attributes,
    )


def a_rule(group: SecurityGroup, ref: str, **attributes: Any) -> FirewallRule:
    given = {"provider": group.provider, "ems_ref": ref, "security_group": group, **RULE}
    return FirewallRule.objects.create(**given | attributes)


# What is under way


class Killed(BaseException):
    """The worker is gone."""


def kill(call: Callable[[], Any]) -> Any:
    raise Killed


def done_then_kill(call: Callable[[], Any]) -> Any:
    call()
    raise Killed


@contextmanager
def talking_to(cloud: MemoryCloud) -> Iterator[None]:
    driver = Provider.driver
    Provider.driver = lambda provider, pace: cloud  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        Provider.driver = driver  # type: ignore[method-assign]


def begun(acme: actors.Cast, admin: User) -> None:
    """A refresh, a change after the first of its two writes, a group whose answer was lost."""
    cloud = mirror(acme.acme)
    cloud.script("change_groups", go, kill)
    cloud.script("create_group", done_then_kill)
    cloud.script("inventory", kill)
    change(acme.staging.double, "add", admin, Asked("web"))
    edit(admin, group_creation(acme.acme, name="begun", cloud_network=acme.staging.network))
    request_refresh(provider=acme.acme, user=None)
    for queue in Task.objects.unfinished().values_list("queue", flat=True):
        with talking_to(cloud):
            try:
                work_off(queue)
            except Killed:
                continue
        raise AssertionError(f"The worker of {queue} did not die.")
    for queue in Task.objects.unfinished().values_list("queue", flat=True):
        Lease.objects.create(queue=queue, owner=uuid.uuid4(), ends_on=timezone.now())


def queued(acme: actors.Cast, private: Provider, groups: dict[str, SecurityGroup], admin: User) -> None:
    provider, production = acme.acme, acme.production
    change(production.single, "add", admin, Asked("web"), Asked(id=production.db.pk), Asked("behind"))
    change(production.single, "remove", admin, Asked(ems_ref="sg-production-default"))
    port = production.double.network_ports.first()
    assert port
    change(production.double, "add", admin, Asked("db", ports=(str(port.pk),)))
    edit(
        admin,
        group_creation(provider, name="new", description="made of old", cloud_network=production.network),
        rule_creation(production.db, **RULE, host_protocol="tcp", port=443, end_port=443),
        rule_creation(production.db, direction="outbound", source_security_group=production.web),
        rule_deletion(FirewallRule.objects.get(ems_ref="sgr-list")),
        group_deletion(SecurityGroup.objects.get(ems_ref="sg-production-unused")),
    )
    for scope, row in (
        (Scope("cloud_tenant", acme.tenant.ems_ref), acme.tenant),
        (Scope("instance", production.double.ems_ref), production.double),
        (Scope("security_group", production.web.ems_ref), production.web),
    ):
        request_refresh_of(scope=scope, name=row.name, provider=provider, user=admin)
    request_refresh(provider=provider, user=admin, force=True)

    change(Vm.objects.get(name="beta-1"), "add", admin, Asked(id=groups["group-alpha-web"].pk))
    change(Vm.objects.get(name="beta-1"), "remove", admin, Asked("default"))
    edit(
        admin,
        group_edit(groups["group-beta-web"], name="www", description="edited"),
        # As it was spelled then; the group has it already.
        rule_creation(groups["group-beta-web"], **RULE, host_protocol="ipv6-icmp"),
        rule_deletion(FirewallRule.objects.get(ems_ref="rule-beta-99")),
    )
    request_refresh(provider=private, user=None)
    request_refresh(provider=Provider.objects.get(name="picture"), user=admin)
    request_refresh(provider=Provider.objects.get(name="asleep"), user=None)


def change(vm: Vm, action: Any, user: User, *asked: Asked) -> None:
    answers = request_changes(vm=vm, action=action, asked=asked, user=user)
    assert all(hasattr(answer, "task") for answer in answers), answers


def edit(user: User, *decided: Any) -> None:
    answers = request_edits(decided, user=user)
    assert all(hasattr(answer, "task") for answer in answers), answers


def of_the_past(provider: Provider, admin: User) -> None:
    for status in Task.Status:
        task = Task.objects.create(
            name=f"Ended {status}", message="", userid="admin", owner=admin, queue="vms/1", provider=provider
        )
        finish(task, status, f"It ended {status}.", before=["default"], after=["default", "web"])
    # Of a VM and a provider that were deleted meanwhile.
    for queue, arguments in (
        ("vms/999", {"action": "add", "group": {"name": "web", "ems_ref": "sg-1"}, "ports": []}),
        ("providers/999", {"force": False}),
        ("security_groups/999", {"edit": "delete_group", "verb": "delete", "subject": "x", "group": {}}),
    ):
        Task.objects.create(
            name=f"Orphan of {queue}", message="Waiting", userid="admin", queue=queue, arguments=arguments
        )
    CallRate.objects.create(
        provider=provider,
        action="ModifyNetworkInterfaceAttribute",
        per_second=2.5,
        next_on=timezone.now(),
        refused_on=timezone.now(),
    )
    for key, status in (("answered", 200), ("unanswered", None)):
        IdempotencyKey.objects.create(
            user=admin,
            key=key,
            fingerprint="0" * 64,
            claimed_on=timezone.now() - timedelta(hours=1),
            status=status,
            answer='{"results": []}' if status else "null",
        )


# The dump


def dump() -> Iterator[str]:
    if connection.vendor == "sqlite":
        return (f"{statement}\n" for statement in connection.connection.iterdump())
    command = ["pg_dump", "--inserts", "--no-owner", "--no-privileges", "--dbname", os.environ["DATABASE_URL"]]
    written = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # Not what says of which server and database it is.
    noise = ("--", "SET ", "\\", "SELECT pg_catalog.set_config(")
    lines = (line for line in written.splitlines(keepends=True) if line.strip())
    return (line for line in lines if not line.startswith(noise))


if __name__ == "__main__":
    assert settings.DATABASES["default"]["NAME"]
    main()
