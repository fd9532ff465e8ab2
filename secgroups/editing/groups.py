"""Creating, editing and deleting a group."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import Model
from django.utils import timezone

from inventory.drivers.exceptions import AlreadyThere, CloudError, CloudUnavailable, GroupNotFound
from inventory.drivers.values import Group, Rule, Scope
from inventory.models import CloudTenant, NetworkPort
from inventory.restrictions import restriction_of
from inventory.services import note
from secgroups import messages
from secgroups.arguments import (
    EditNotes,
    GroupCreation,
    GroupDeletion,
    GroupEdit,
    NewGroup,
    PlacedGroup,
    edit_notes,
)
from secgroups.editing.base import EditHandler
from secgroups.models import SecurityGroup
from secgroups.recording import record_group
from secgroups.retrying import any_fresh
from secgroups.reverting import messages as reverting
from secgroups.rules import write_rules


class CreateGroup(EditHandler[GroupCreation]):
    """A request for a new group can't have an id by which a cloud would recognize it.

    So before the first attempt, the task notes which groups already have the name. Any other one is ours.
    """

    permission = "secgroups.add_securitygroup"
    made: Group
    rules: tuple[Rule, ...] = ()
    as_of: datetime

    def place(self) -> Model:
        """The tenant of the new group. Without one, the cloud chooses."""
        ref = self.arguments.group.tenant_ref or ""
        return CloudTenant.objects.filter(provider=self.provider, ems_ref=ref).first() or self.provider

    def execute(self) -> None:
        noted = edit_notes(self.task.arguments).placed
        self.cloud.unsure = noted is not None
        placed = noted or self._placed()
        self.made, self.request_id = self.cloud.repeat(lambda: self._make(placed))
        self.as_of = timezone.now()
        try:
            self.rules = self.driver.rules_of(self.made.ref)
            if not self.made.tenant_ref:  # missing in the answer
                self.made = next(iter(self.driver.groups_by_ref([self.made.ref])), self.made)
        except CloudError:
            pass  # the next refresh adds what is missing

    def _placed(self) -> PlacedGroup:
        requested = self.arguments.group.as_value()
        group = self.cloud.ask(lambda: self.driver.placed(requested))
        namesakes = self.cloud.ask(lambda: self.driver.namesakes(group))
        new_group = NewGroup(**{name: getattr(group, name) for name in NewGroup.__struct_fields__})
        placed = PlacedGroup(group=new_group, namesakes=tuple(namesake.ref for namesake in namesakes))
        note([self.task], EditNotes(placed=placed))
        self.cloud.lease.ensure()
        self.task.save(update_fields=["arguments"])
        return placed

    def _make(self, placed: PlacedGroup) -> tuple[Group, str | None]:
        group = placed.group.as_value()
        if self.cloud.unsure:
            for namesake in self.driver.namesakes(group):
                if namesake.ref not in placed.namesakes:
                    return namesake, None
        try:
            return self.driver.create_group(group)
        except AlreadyThere as error:
            if placed.namesakes or not self.cloud.unsure:
                raise
            raise error.reworded(CloudUnavailable, messages.not_shown_yet) from error

    @property
    def subject(self) -> tuple[str, None]:
        return self.made.ref, None

    def record(self) -> dict[str, Any]:
        row = record_group(self.provider, self.made)
        write_rules(row, self.rules, as_of=self.as_of)
        context = self.task.context_data["security_group"]
        return {"security_group": context | {"id": str(row.pk), "name": row.name, "ems_ref": row.ems_ref}}


class EditGroup(EditHandler[GroupEdit]):
    permission = "secgroups.change_securitygroup"
    edited: Group

    def differences(self) -> Iterator[str]:
        row, ref = self.group(), self.arguments.group.ems_ref
        for group in self.cloud.ask(lambda: self.driver.groups_by_ref([ref])):
            if row and (group.name, group.description or "") != (row.name, row.description or ""):
                yield reverting.differs_at_cloud(self.arguments.subject)

    def execute(self) -> None:
        ref, changes = self.arguments.group.ems_ref, self.arguments.attributes
        self.cloud.waits_for_group = partial(any_fresh, self.provider, ref)
        self.edited, self.request_id = self.cloud.repeat(
            lambda: self.driver.edit_group(ref, changes.name, changes.description)
        )

    @property
    def subject(self) -> tuple[str, None]:
        return self.arguments.group.ems_ref, None

    def record(self) -> dict[str, Any]:
        changed = {"name": self.edited.name, "description": self.edited.description}
        rows = SecurityGroup.objects.filter(provider=self.provider, ems_ref=self.edited.ref)
        rows.update(**changed, updated_on=timezone.now())
        return {"security_group": self.task.context_data["security_group"] | changed}


class DeleteGroup(EditHandler[GroupDeletion]):
    permission = "secgroups.delete_securitygroup"

    def differences(self) -> Iterator[str]:
        """Rules or ports that the group has got. Its cloud would delete the rules with it."""
        ref, name = self.arguments.group.ems_ref, self.arguments.group.name
        group = self.group()
        known = set(group.firewall_rules.values_list("ems_ref", flat=True)) if group else set()
        found = self.cloud.ask(lambda: self.driver.inventory_of(Scope("security_group", ref)))
        if {rule.ref for rule in found.rules} != known:
            yield reverting.rules_differ_at_cloud(name)
        if ports := [port.ref for port in found.ports if ref in port.group_refs]:
            yield reverting.used_at_cloud(name, self._shown(ports))

    def _shown(self, ports: Collection[str]) -> Collection[str]:
        """Those of these ports (refs) that the owner of the task may see."""
        owner = self.task.owner
        if owner is None or restriction_of(owner) is None:
            return ports
        rows = NetworkPort.objects.visible_to(owner).filter(provider=self.provider, ems_ref__in=ports)
        return rows.values_list("ems_ref", flat=True)

    def execute(self) -> None:
        ref = self.arguments.group.ems_ref
        self.cloud.waits_for_group = partial(any_fresh, self.provider, ref)
        try:
            self.request_id = self.cloud.repeat(lambda: self.driver.delete_group(ref))
        except GroupNotFound as error:
            self.is_gone(error, ref)

    @property
    def subject(self) -> tuple[str, None]:
        return self.arguments.group.ems_ref, None

    def record(self) -> dict[str, Any]:
        """A refresh that read the cloud before this and writes after it restores the group until the next one."""
        ref = self.arguments.group.ems_ref
        row = SecurityGroup.objects.select_for_update().filter(provider=self.provider, ems_ref=ref).first()
        if row:
            if self.driver.rules_end_with_their_source:
                row.rules_that_name_it.all().delete()
            # Without a source, a rule would read as "from anywhere".
            others = row.rules_that_name_it.exclude(security_group=row)
            others.update(source_ip_range=ref, source_security_group=None)
            row.firewall_rules.all().delete()  # otherwise those that name the group itself change before they go
            row.delete()
        return {}
