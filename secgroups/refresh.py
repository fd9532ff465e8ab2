"""This app's parts of a refresh."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from django.db.models import Exists, ManyToManyField, OuterRef, Q, QuerySet, Subquery

from inventory.db.bulk import among, batches
from inventory.drivers import values
from inventory.drivers.boundary import called
from inventory.drivers.values import EVERYBODY, Group, Misfit
from inventory.guard import NAMED
from inventory.mapping import NO_IDS, Columns, Ids
from inventory.models import Provider
from inventory.reconcile import Found, locked
from inventory.refresh import Refresh
from inventory.relations import relate
from inventory.services import cause_of_refresh
from secgroups.expirations import end_what_is_gone
from secgroups.exposures import settle_exposures
from secgroups.memberships import compared_with, end_memberships, replace_memberships
from secgroups.messages import in_left_out
from secgroups.models import AddressList, FirewallRule, Membership, PublicPort, SecurityGroup
from secgroups.public_ports import record_public_ports
from secgroups.rules import with_lost_source
from secgroups.traffic.addresses import NO_FAMILIES, public_families


def bring_in_groups(refresh: Refresh) -> None:
    inventory = refresh.inventory
    groups = _placed(refresh)
    shared = refresh.untold("security_groups", SecurityGroup, "shared_with").filter(shared=True)
    shared_refs = set(shared.values_list("ems_ref", flat=True))
    refs = chain(
        (ref for port in inventory.ports for ref in port.group_refs),
        (rule.source_group_ref for rule in inventory.rules),
    )
    refresh.groups = refresh.reconcile(
        "security_groups",
        SecurityGroup,
        (replace(group, shared_with=(EVERYBODY,)) if group.ref in shared_refs else group for group in groups),
        group_columns(refresh.provider, {"tenant_ref": refresh.tenants, "network_ref": refresh.networks}),
        within=refresh.within(cloud_tenant="cloud_tenant__ems_ref", security_group="ems_ref"),
        newer=_newer(refresh),
        before_deletion=partial(part_from_rules, refresh),
        # A full refresh reads the rules that name them, so each of these changes or goes, but not both.
        delete_later=None if refresh.scope else refresh.leaving_groups,
    )
    refresh.groups |= refresh.known(SecurityGroup, refs)
    for leaving in locked(SecurityGroup, refresh.leaving_groups, _newer(refresh)):
        _remove_rules(refresh, leaving)


def remove_groups(refresh: Refresh) -> None:
    """Delete the groups that are gone, now that no rule that was read names them."""
    for leaving in locked(SecurityGroup, refresh.leaving_groups, _newer(refresh)):
        part_from_rules(refresh, leaving)
        refresh.findings.went.update(leaving.delete()[1])


def part_from_rules(refresh: Refresh, groups: QuerySet[SecurityGroup]) -> None:
    """Delete the rules of these groups, which are about to be deleted, and keep their refs in other rules.

    Those would read as "from anywhere" otherwise. A partial refresh does not read them again.
    """
    _remove_rules(refresh, groups)
    ref = SecurityGroup.objects.filter(pk=OuterRef("source_security_group")).values("ems_ref")
    rules = FirewallRule.objects.filter(source_security_group__in=groups)
    rules.update(source_ip_range=Subquery(ref), source_security_group=None)


def _remove_rules(refresh: Refresh, groups: QuerySet[SecurityGroup]) -> None:
    """Delete the rules of groups. Those that name such a group would otherwise change before they go."""
    rules = FirewallRule.objects.filter(security_group__in=groups)
    refresh.findings.went.update(rules.delete()[1])


def _newer(refresh: Refresh) -> Q:
    """The groups that were edited since the read began."""
    return Q(updated_on__gt=refresh.read_on)


def _placed(refresh: Refresh) -> list[Group]:
    """The groups, except those whose network was left out, which would look confined to no network."""
    left_out, placed = refresh.findings.stays("cloud_networks"), []
    for group in refresh.inventory.groups:
        if not group.network_ref or group.network_ref in refresh.networks or not left_out(group.network_ref):
            placed.append(group)
        else:
            problem = in_left_out(group.network_ref)
            misfit = Misfit(Group, group.ref, called(group), "network_ref", problem, left_out=True)
            refresh.findings.misfits.append(misfit)
    return placed


def bring_in_shares(refresh: Refresh) -> None:
    """Which tenants may use other tenants' groups."""
    _relate(refresh, "shared_with", SecurityGroup.shared_with.field, refresh.tenants)


def bring_in_associations(refresh: Refresh) -> None:
    """In which other networks groups may be used."""
    _relate(refresh, "associated_network_refs", SecurityGroup.associated_networks.field, refresh.networks)


def _relate(
    refresh: Refresh, attribute: str, field: ManyToManyField[Any, Any], related: Mapping[str, int]
) -> None:
    groups = refresh.inventory.groups
    relate(refresh, "security_groups", groups, attribute, field, rows=refresh.groups, related=related)


def group_columns(provider: Provider, ids: Ids = NO_IDS) -> Columns[Group]:
    """The columns of a group's row."""
    return SecurityGroup.mapping.columns(ids, vendor=provider.vendor)


def bring_in_address_lists(refresh: Refresh) -> None:
    """Bring in the lists that rules name. They go after their rules, see `remove_unnamed_address_lists`."""
    lists = list(_address_lists(refresh))
    tenants = refresh.owner_ids(one.tenant_ref for one in lists)
    refresh.address_lists = refresh.reconcile(
        "address_lists",
        AddressList,
        lists,
        AddressList.mapping.columns({"tenant_ref": tenants}),
        within=Q(pk__in=[]),
    )


def _address_lists(refresh: Refresh) -> Iterator[values.AddressList]:
    """The lists that rules name, as they were read.

    What could not be read stays as known. If the refresh is forced, it becomes unknown.
    """
    inventory, untold = refresh.inventory, _untold_entries(refresh)
    named = values.address_lists_of(rule for rule in inventory.rules if rule.group_ref in refresh.groups)
    read = {
        address_list.ref: address_list for address_list in inventory.address_lists if address_list.ref in named
    }
    rows = AddressList.objects.filter(provider=refresh.provider)
    known = {
        address_list.ref: replace(address_list, entries=None) if refresh.force else address_list
        for refs in batches(sorted(named - read.keys() | named & untold))
        for address_list in rows.filter(ems_ref__in=refs).as_values()
    }
    for ref in sorted(named):
        if ref not in read:
            yield known.get(ref) or values.AddressList(ref, ref)
        elif ref in untold and ref in known:
            yield replace(read[ref], entries=known[ref].entries)
        else:
            yield read[ref]


def _untold_entries(refresh: Refresh) -> set[str]:
    """The lists whose entries could not be read. Those of others may be unknown as well: they did not fit."""
    if "entries" not in refresh.inventory.untold:
        return set()
    unfit = {misfit.ref for misfit in refresh.inventory.misfits if misfit.unknown}
    lists = refresh.inventory.address_lists
    return {address_list.ref for address_list in lists if address_list.entries is None} - unfit


def remove_unnamed_address_lists(refresh: Refresh) -> None:
    """A list goes with the last rule that names it. Rules that these credentials can't see keep theirs."""
    if refresh.scope:
        return  # only a full refresh has locked all groups against edits that name a list
    lists = AddressList.objects.filter(provider=refresh.provider)
    naming = FirewallRule.objects.filter(source_address_list=OuterRef("pk"))
    if unnamed := list(lists.filter(~Exists(naming)).order_by("pk")):
        known = lists.count() - refresh.findings.found["address_lists"].appeared
        refresh.findings.judge("address_lists", len(unnamed), known, unnamed[:NAMED])
        gone = lists.filter(pk__in=[address_list.pk for address_list in unnamed])
        refresh.findings.went.update(gone.delete()[1])


def bring_in_rules(refresh: Refresh) -> None:
    newer = _with_newer_rules(refresh)
    refresh.reconcile(
        "firewall_rules",
        FirewallRule,
        (
            with_lost_source(rule, refresh.groups)
            for rule in refresh.inventory.rules
            if rule.group_ref in refresh.groups and refresh.groups[rule.group_ref] not in newer
        ),
        FirewallRule.mapping.columns(
            {
                "group_ref": refresh.groups,
                "source_group_ref": refresh.groups,
                "address_list_ref": refresh.address_lists,
            }
        ),
        tenant="security_group__cloud_tenant__ems_ref",
        within=refresh.within(
            cloud_tenant="security_group__cloud_tenant__ems_ref", security_group="security_group__ems_ref"
        ),
        newer=Q(security_group__rules_as_of__gt=refresh.read_on),
    )


def _with_newer_rules(refresh: Refresh) -> set[int]:
    """The groups whose rules were edited since the read began. Locks all groups against edits."""
    within = refresh.within(cloud_tenant="cloud_tenant__ems_ref", security_group="ems_ref")
    groups = SecurityGroup.objects.filter(within or Q(), provider=refresh.provider).order_by("pk")
    # `no_key` allows others to add memberships of these groups.
    rows = groups.select_for_update(no_key=True, of=("self",)).values_list("pk", "rules_as_of")
    return {pk for pk, as_of in rows if as_of and as_of > refresh.read_on}


def bring_in_memberships(refresh: Refresh) -> None:
    ports = {
        refresh.ports[port.ref]: [refresh.groups[ref] for ref in port.group_refs if ref in refresh.groups]
        for port in refresh.inventory.ports
    }
    differing: Collection[int] = ports
    hidden = refresh.hidden("network_ports", "network_port__cloud_tenant__ems_ref") or Q(pk__in=[])
    if refresh.scope is None or refresh.scope.kind == "cloud_tenant":
        within = refresh.within(cloud_tenant="network_port__cloud_tenant__ems_ref") or Q()
        memberships = Membership.objects.filter(within, network_port__provider=refresh.provider).exclude(hidden)
        compared = compared_with(memberships, ports)
        refresh.findings.judge("memberships", compared.lost, compared.known, compared.first_gone())
        differing = compared.ports
    total = sum(map(len, ports.values()))
    written = replace_memberships({port: ports[port] for port in differing}, read_on=refresh.read_on)
    if refresh.scope and refresh.scope.kind == "security_group":
        for group in refresh.inventory.groups:
            rows = Membership.objects.filter(security_group=refresh.groups[group.ref]).exclude(hidden)
            written += end_memberships(rows, but=refresh.ports.values(), read_on=refresh.read_on)
    counts = Found(Membership._meta.label, total, written.appeared, written.changed)
    refresh.findings.note("memberships", counts, Counter({counts.label: written.went}))


def bring_in_exposures(refresh: Refresh) -> None:
    """What groups open to the public now. Comes last, because it follows from everything else."""
    record_public_ports(_ports_that_differ(refresh))
    settle_exposures(refresh.provider.pk)


def end_expirations(refresh: Refresh) -> None:
    """What others have taken back already."""
    end_what_is_gone(refresh.provider, cause_of_refresh(), read_on=refresh.read_on)


def _ports_that_differ(refresh: Refresh) -> Iterator[int]:
    """The ports (primary keys) whose public addresses may differ from what is recorded.

    What decides is their rows, which may be newer than this read, or know what it does not tell.
    """
    rows = PublicPort.objects.filter(network_port__provider=refresh.provider)
    if refresh.scope:
        rows = rows.filter(network_port__in=among(refresh.ports.values()))
    recorded: defaultdict[int, frozenset[str]] = defaultdict(frozenset)
    for port, family in rows.values_list("network_port", "network_protocol"):
        recorded[port] |= {family}
    for value in refresh.inventory.ports:
        port = refresh.ports[value.ref]
        if public_families(value.ip_addresses, value.public_ip_addresses) != recorded.get(port, NO_FAMILIES):
            yield port
