"""How a request says when something ends: `for`, `until` and `reason`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeAlias

from django.core.exceptions import ValidationError
from django.db.models import OuterRef, Subquery
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inventory.db.clock import database_now
from inventory.db.lookups import Numbers
from inventory.rest.hrefs import Hrefs
from inventory.rest.resources import Viewer
from inventory.rest.serializers import StrictSerializer
from secgroups.arguments import Ending
from secgroups.models import Membership, TemporaryMembership
from secgroups.services import ending_of
from secgroups.services.endings import DURATION, duration_of

#: The keys with which something ends.
ENDING = frozenset({"for", "until", "reason"})

Fields: TypeAlias = dict[str, serializers.Field[Any, Any, Any, Any]]


@extend_schema_field(
    {
        "oneOf": [{"type": "string", "pattern": f"^{DURATION.pattern}$"}, {"type": "integer", "minimum": 1}],
        "example": "2h",
    }
)
class DurationField(serializers.CharField):
    """`90s`, `30m`, `2h`, `3d`, or a number of seconds."""

    def to_internal_value(self, data: Any) -> timedelta:  # type: ignore[override]
        try:
            return duration_of(super().to_internal_value(data))
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error


class EndInput(StrictSerializer):
    """When something ends: after a while, or at a time."""

    until = serializers.DateTimeField(required=False, help_text="When it ends.")

    def get_fields(self) -> Fields:
        """With a name that Python has for itself."""
        fields: Fields = super().get_fields()
        own: Fields = {name: fields.pop(name) for name in ("until", "reason") if name in fields}
        fields["for"] = DurationField(required=False, label="For", help_text="90s, 30m, 2h, 3d, or seconds.")
        return fields | own


class EndingInput(EndInput):
    """The same of what is not there yet, with the reason for which somebody needs it."""

    reason = serializers.CharField(required=False, max_length=1000, allow_blank=True, allow_null=True)


def expires_on(
    vm: int, groups: Sequence[int], viewer: Viewer, hrefs: Hrefs
) -> Mapping[int, Mapping[str, datetime | None]]:
    """When an instance has lost a group on all ports on which the viewer sees it; null if it stays on one."""
    members = Membership.objects.visible_to(viewer.user).filter(vm=vm, security_group__among=Numbers(groups))
    temporary = TemporaryMembership.objects.filter(
        network_port=OuterRef("network_port"), security_group=OuterRef("security_group")
    )
    end = Subquery(temporary.values("expiration__expires_on")[:1])
    ends: defaultdict[int, list[datetime | None]] = defaultdict(list)
    for group, expires_on in members.annotate(end=end).values_list("security_group", "end"):
        ends[group].append(expires_on)
    return {pk: {"expires_on": None if None in ends[pk] else max(ends[pk], default=None)} for pk in groups}  # type: ignore[type-var]


class EndingsMixin:
    """Reads ends of requests, all by the same clock."""

    @cached_property
    def now(self) -> Any:
        """What the database's clock shows."""
        return database_now()

    def ending(self, attributes: Mapping[str, Any]) -> Ending | None:
        """The end in validated attributes; None if it has none. Raises `ValidationError`."""
        duration, until, reason = (attributes.get(name) for name in ("for", "until", "reason"))
        if duration is until is None and not reason:
            return None
        return ending_of(self.now, duration=duration, until=until, reason=reason)
