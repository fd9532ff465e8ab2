"""Forms of the admin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import Any, cast

from django import forms
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.widgets import AdminTextInputWidget, FilteredSelectMultiple
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from inventory.db.clock import database_now
from inventory.rest.errors import BadInput, NotFound, message_of
from inventory.rest.resources import Viewer, get_resource_type
from secgroups.analysis.messages import CHOOSE_INSTANCE, SIDE_HELP
from secgroups.analysis.questions import check_sides, service_of, side_named, with_port
from secgroups.analysis.reachability import Reachability, Side
from secgroups.arguments import Ending
from secgroups.models import SecurityGroup
from secgroups.services import duration_of, ending_of
from secgroups.traffic.services import Service

#: The most characters of a field, some of which are addresses of the API.
LENGTH = 500
#: How many instances to choose from.
CHOICES = 10


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


class DurationField(forms.CharField):
    """How long something is for, as the API takes it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=20, widget=AdminTextInputWidget, **{"required": False} | kwargs)

    def clean(self, value: Any) -> timedelta | None:
        text = super().clean(value)
        return duration_of(text) if text else None


class AddGroupsForm(GroupsForm):
    """Choose from thousands of groups, for good or for a while."""

    groups = GroupsField(widget=FilteredSelectMultiple("security groups", is_stacked=False))
    duration = DurationField(label="For", help_text="Such as 90s, 30m, 2h or 3d. Without it, they stay for good.")
    reason = forms.CharField(required=False, max_length=1000, widget=AdminTextInputWidget)
    #: When they are taken back, once the form is valid.
    ending: Ending | None = None

    def clean(self) -> None:
        duration, reason = self.cleaned_data.get("duration"), self.cleaned_data.get("reason")
        if "duration" in self.cleaned_data and (duration or reason):
            self.ending = ending_of(database_now(), duration=duration, reason=reason)


class ExtendForm(ActionForm):
    """An action on expirations, one of which takes a time."""

    # Parsed by the action: with a wrong one here, Django would say that no action was chosen.
    duration = forms.CharField(label="For", required=False, max_length=20)


class RemoveGroupsForm(GroupsForm):
    """Choose from the few groups that the instances have."""

    ending = None

    groups = GroupsField(widget=forms.CheckboxSelectMultiple)


class SideField(forms.CharField):
    """A side of a question about reachability, as the API takes it, or the name of an instance.

    If several instances have the name, or their names begin with it, `choices` has the sides that it may mean,
    with their names.
    """

    def __init__(self, parameter: str, viewer: Viewer) -> None:
        super().__init__(max_length=LENGTH, widget=AdminTextInputWidget, help_text=SIDE_HELP)
        self._parameter, self._viewer = parameter, viewer
        self.choices: list[tuple[str, str]] = []

    def clean(self, value: Any) -> Side:
        text = super().clean(value)
        try:
            return side_named(self._parameter, text, self._viewer)
        except NotFound as error:
            raise ValidationError(message_of(error)) from error
        except BadInput as error:
            return self._instance_called(text, error)

    def _instance_called(self, name: str, error: BadInput) -> Side:
        instances = self._viewer.visible(get_resource_type("instances")).order_by("pk").values_list("pk", "name")
        exact = list(instances.filter(name=name)[:CHOICES])
        found = exact or list(instances.filter(name__startswith=name)[:CHOICES])
        self.choices = [(f"instances/{pk}", called) for pk, called in found]
        if len(exact) == 1:
            return side_named(self._parameter, self.choices[0][0], self._viewer)
        raise ValidationError(CHOOSE_INSTANCE if found else message_of(error)) from error


class ReachabilityForm(forms.Form):
    """A question about reachability: with the names and values of the API. What is empty is not asked."""

    protocol = forms.CharField(
        required=False,
        max_length=LENGTH,
        widget=AdminTextInputWidget,
        help_text="Such as tcp, udp or icmp. Without it, the question is about every service.",
    )
    port = forms.CharField(
        required=False,
        max_length=LENGTH,
        widget=AdminTextInputWidget,
        help_text="Of ICMP, the type. Without it, the question is about the whole protocol.",
    )

    def __init__(self, viewer: Viewer, data: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.viewer = viewer
        self.fields = {parameter: SideField(parameter, viewer) for parameter in ("from", "to")} | self.fields

    def clean_protocol(self) -> Service:
        with _told_at_its_field():
            return service_of(self.cleaned_data["protocol"] or None)

    def clean_port(self) -> Service | None:
        """The service with its port; None if the protocol is none."""
        port, service = self.cleaned_data["port"], self.cleaned_data.get("protocol")
        if not (port and service):
            return service
        with _told_at_its_field():
            return with_port(service, port)

    def clean(self) -> None:
        source, target = self.cleaned_data.get("from"), self.cleaned_data.get("to")
        if source and target:
            with _told_at_its_field():
                check_sides(source, target)

    @cached_property
    def reachability(self) -> Reachability:
        """The answer to a valid question."""
        asked = self.cleaned_data
        return Reachability(asked["from"], asked["to"], asked["port"], self.viewer)


@contextmanager
def _told_at_its_field() -> Iterator[None]:
    """Turn a refusal of the API into one of a form."""
    try:
        yield
    except BadInput as error:
        raise ValidationError(message_of(error)) from error
