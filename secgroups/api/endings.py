"""How a request says when something ends: `for`, `until` and `reason`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeAlias

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from inventory.db.clock import database_now
from inventory.rest.serializers import StrictSerializer
from secgroups import messages
from secgroups.arguments import Ending
from secgroups.services import ending_of

#: The size of each unit, in seconds.
UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
DURATION = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>[smhd]?)")

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
        match = DURATION.fullmatch(super().to_internal_value(data))
        if match is None:
            raise serializers.ValidationError(messages.INVALID_DURATION)
        duration = timedelta(seconds=int(match["number"]) * UNITS[match["unit"]])
        if not duration:
            raise serializers.ValidationError(messages.NO_DURATION)
        return duration


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
