"""Forms of the admin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.contrib.admin.widgets import FilteredSelectMultiple
from django.db.models import QuerySet

from secgroups.models import SecurityGroup


class GroupsField(forms.ModelMultipleChoiceField[SecurityGroup]):
    """Groups by name and place, because each network of each cloud may have a group with this name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(SecurityGroup.objects.none(), **kwargs)

    def label_from_instance(self, group: SecurityGroup) -> str:
        where, provider = group.cloud_network or group.cloud_tenant, getattr(group, "provider", None)
        return " · ".join(str(part) for part in (group.name, where, provider, group.ems_ref) if part)


class GroupsForm(forms.Form):
    groups = GroupsField()

    def __init__(self, choices: QuerySet[SecurityGroup], data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        cast(GroupsField, self.fields["groups"]).queryset = choices.order_by("name", "id")


class AddGroupsForm(GroupsForm):
    """Choose from thousands of groups."""

    groups = GroupsField(widget=FilteredSelectMultiple("security groups", is_stacked=False))


class RemoveGroupsForm(GroupsForm):
    """Choose from the few groups that the instances have."""

    groups = GroupsField(widget=forms.CheckboxSelectMultiple)
