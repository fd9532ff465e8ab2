"""The cast of the tests: one small cloud account, the same wherever a test needs rows.

`acme` is a provider of type amazon with one tenant. It has two networks, `production` and `staging`, alike inside:

    groups      default, web, db         the same names in both, for that is where mistakes are made
    single      a VM with one port       with the group default
    double      a VM with two ports      both with the group default

What the cloud calls a row says where it is: `vpc-staging`, `sg-staging-web`, `i-staging-double`,
`eni-staging-double-2`. Each function makes rows of one kind, `enter` makes all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.utils import timezone

from inventory.models import CloudNetwork, CloudTenant, NetworkPort, Provider, Task, Vm, Zone
from inventory.rate_limit import slow_down
from inventory.services import cause_of_task, create_token, record_event
from secgroups.exposures import settle_exposures
from secgroups.models import (
    AddressList,
    Expiration,
    FirewallRule,
    Membership,
    SecurityGroup,
    TemporaryMembership,
)

#: Vendors, and the types of providers of theirs in the API.
AMAZON, OPENSTACK, FILE = "amazon", "openstack", "file"
AMAZON_TYPE = "ManageIQ::Providers::Amazon::CloudManager"
OPENSTACK_TYPE = "ManageIQ::Providers::Openstack::CloudManager"
FILE_TYPE = "ManageIQ::Providers::File::CloudManager"


@dataclass
class Site:
    """A network and what is in it."""

    network: CloudNetwork
    default: SecurityGroup
    web: SecurityGroup
    db: SecurityGroup
    single: Vm
    double: Vm


@dataclass
class Cast:
    acme: Provider
    tenant: CloudTenant
    production: Site
    staging: Site


def enter() -> Cast:
    acme = provider("acme")
    account = tenant(acme)
    return Cast(acme, account, site(network(account, "production")), site(network(account, "staging")))


def company(owner: User) -> Cast:
    """The cast, with what else it takes for every collection to have at least two resources."""
    entered = enter()
    other = provider("other")
    tenant(other, "other")
    web, db = entered.production.web, entered.production.db
    for ref, source in (("sgr-1", None), ("sgr-2", web)):
        FirewallRule.objects.create(
            provider=entered.acme,
            ems_ref=ref,
            security_group=db,
            direction="inbound",
            network_protocol=None if source else "IPV4",
            host_protocol="tcp",
            port=5432,
            end_port=5432,
            source_ip_range=None if source else "10.0.0.0/8",
            source_security_group=source,
        )
    for number, text in enumerate(("0.0.0.0/0", "8.8.8.8/32")):
        public_rule(entered.production.default, 22 + number, text)
    settle_exposures(entered.acme.pk)
    expiration(db, rule=db.firewall_rules.first())
    expiration(entered.production.default, entered.production.single)
    for entries in (["10.0.0.0/8"], None):
        address_list(entered.acme, "offices" if entries else "partners", entries)
    for name in ("operators", "readers"):
        Group.objects.create(name=name).user_set.add(User.objects.create_user(f"one of {name}"))
    Zone.objects.create(name="other", description="Not in reality.")
    for name in ("backup", "monitoring"):
        create_token(user=owner, name=name)
    for number in (1, 2):
        task = Task.objects.create(
            name=f"Refresh {number}", message="", userid="admin", owner=owner, queue=f"providers/{number}"
        )
        record_event("provider_refreshed", "Refreshed acme", cause_of_task(task), provider=entered.acme)
    parts = [
        Task.objects.create(
            name=f"Change {machine}",
            message="",
            userid="admin",
            owner=owner,
            queue=f"vms/{machine.pk}",
            provider=entered.acme,
            vm=machine,
        )
        for machine in (entered.production.single, entered.production.double)
    ]
    parent = Task.objects.create(name="Change 2 instances", message="", userid="admin", owner=owner, queue="")
    parent.tasks.add(*parts)
    return entered


@dataclass
class Planted:
    """One row of each kind, all of which are called after it."""

    provider: Provider
    tenant: CloudTenant
    network: CloudNetwork
    web: SecurityGroup
    db: SecurityGroup
    rule: FirewallRule
    vm: Vm
    port: NetworkPort
    address_list: AddressList


def plant(name: str, at: Provider | None = None) -> Planted:
    """What can be told by its name wherever it shows, of a provider of that name or of another one."""
    owner = at or provider(name, provider_region=name)
    account = tenant(owner, name)
    net = network(account, name)
    web, db = (group(net, f"{name}-{kind}", cloud_tenant=account) for kind in ("web", "db"))
    web.shared_with.add(account)
    ssh = rule(web, 22)
    listed = address_list(owner, name, ["10.0.0.0/8"], cloud_tenant=account)
    web.firewall_rules.update(source_security_group=db, source_address_list=listed, description=name)
    public_rule(db, 443, "8.8.8.0/24", description=name)
    machine = vm(net, name, groups=[web, db])
    settle_exposures(owner.pk)
    expiration(web, machine, reason=name, userid=name)
    expiration(db, rule=db.firewall_rules.get(), reason=name, userid=name)
    slow_down(owner, name, None)
    return Planted(owner, account, net, web, db, ssh, machine, machine.network_ports.get(), listed)


def provider(name: str, **attributes: Any) -> Provider:
    return Provider.objects.create(name=name, **{"vendor": AMAZON} | attributes)


def give_credentials(provider: Provider, **credentials: Any) -> None:
    """Store credentials, which are encrypted for their row."""
    provider.credentials = credentials
    provider.save(update_fields=["credentials"])


def tenant(provider: Provider, name: str = "account") -> CloudTenant:
    return CloudTenant.objects.create(provider=provider, ems_ref=f"t-{name}", name=name)


def network(tenant: CloudTenant, name: str) -> CloudNetwork:
    return CloudNetwork.objects.create(
        provider=tenant.provider, ems_ref=f"vpc-{name}", name=name, cloud_tenant=tenant
    )


def site(network: CloudNetwork) -> Site:
    default, web, db = (group(network, name) for name in ("default", "web", "db"))
    single = vm(network, "single", ports=1, groups=[default])
    double = vm(network, "double", ports=2, groups=[default])
    return Site(network, default, web, db, single, double)


def group(network: CloudNetwork, name: str, **attributes: Any) -> SecurityGroup:
    """A group of this network, which Portcullis has known for a while."""
    made = SecurityGroup.objects.create(
        **{
            "provider": network.provider,
            "ems_ref": f"sg-{network.name}-{name}",
            "name": name,
            "vendor": AMAZON,
            "cloud_network": network,
            "cloud_tenant": network.cloud_tenant,
        }
        | attributes
    )
    SecurityGroup.objects.filter(pk=made.pk).update(created_on=timezone.now() - timedelta(hours=1))
    return made


def rule(group: SecurityGroup, port: int) -> FirewallRule:
    """A rule that lets the office reach a port."""
    return FirewallRule.objects.create(
        provider=group.provider,
        ems_ref=f"sgr-{group.ems_ref}-{port}",
        security_group=group,
        direction="inbound",
        network_protocol="IPV4",
        host_protocol="tcp",
        port=port,
        end_port=port,
        source_ip_range="10.0.0.0/8",
    )


def public_rule(group: SecurityGroup, port: int, text: str = "0.0.0.0/0", **attributes: Any) -> FirewallRule:
    """A rule that lets the public reach a port."""
    made = rule(group, port)
    attributes = {"source_ip_range": text, "ems_ref": f"{made.ems_ref}-{text}", **attributes}
    FirewallRule.objects.filter(pk=made.pk).update(**attributes)
    made.refresh_from_db()
    return made


def address_list(provider: Provider, name: str, entries: list[str] | None, **attributes: Any) -> AddressList:
    return AddressList.objects.create(
        provider=provider, ems_ref=f"pl-{name}", name=name, entries=entries, **attributes
    )


def expiration(
    group: SecurityGroup, vm: Vm | None = None, rule: FirewallRule | None = None, **given: Any
) -> Expiration:
    """The end of a group on the ports of a VM, or of a rule of the group, in an hour."""
    over = timezone.now() + timedelta(hours=1)
    made = Expiration.objects.create(
        provider=group.provider,
        vm=vm,
        security_group=group,
        firewall_rule=rule,
        expires_on=over,
        due_on=over,
        **{"reason": "to look", "userid": "admin"} | given,
    )
    TemporaryMembership.objects.bulk_create(
        TemporaryMembership(expiration=made, network_port=port, security_group=group)
        for port in (vm.network_ports.all() if vm else ())
    )
    return made


def vm(network: CloudNetwork, name: str, *, ports: int = 1, groups: Iterable[SecurityGroup] = ()) -> Vm:
    """A VM with so many ports in this network, each of which has these groups."""
    made = Vm.objects.create(
        provider=network.provider,
        ems_ref=f"i-{network.name}-{name}",
        uid_ems=f"i-{network.name}-{name}",
        name=f"{network.name}-{name}",
        vendor=AMAZON,
        cloud_tenant=network.cloud_tenant,
        power_state="on",
        raw_power_state="running",
    )
    for number in range(1, ports + 1):
        port(made, network, f"eni-{network.name}-{name}-{number}", groups)
    return made


def port(vm: Vm | None, network: CloudNetwork, ref: str, groups: Iterable[SecurityGroup] = ()) -> NetworkPort:
    made = NetworkPort.objects.create(
        provider=network.provider, ems_ref=ref, vm=vm, cloud_network=network, cloud_tenant=network.cloud_tenant
    )
    Membership.objects.bulk_create(Membership(security_group=one, network_port=made, vm=vm) for one in groups)
    return made


def memberships(*vms: Vm) -> dict[str, set[str]]:
    """What the inventory says of these VMs, or of every port: its ref and the refs of its groups."""
    ports = NetworkPort.objects.filter(vm__in=vms) if vms else NetworkPort.objects.all()
    return {port.ems_ref: {group.ems_ref for group in port.security_groups.all()} for port in ports}
