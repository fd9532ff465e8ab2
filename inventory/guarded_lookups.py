"""What the lists of the admin may be filtered by."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http import HttpRequest

from inventory.fields import EncryptedJSONField
from inventory.models import AuthToken

#: Hashes, which nobody may guess character by character.
HASHES = frozenset({User._meta.get_field("password"), AuthToken._meta.get_field("digest")})
#: They take as long as their author likes.
EXPENSIVE = frozenset({"regex", "iregex"})


class GuardedLookups(admin.ModelAdmin[Any]):
    """Refuses lookups of secrets, by any path, and regular expressions. Django allows every lookup of a column."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        path = lookup.split("__")
        if not EXPENSIVE.isdisjoint(path) or any(map(is_secret, _fields(self.model, path))):
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]


def is_secret(field: object) -> bool:
    return isinstance(field, EncryptedJSONField) or field in HASHES


def _fields(model: type[Model], path: list[str]) -> list[object]:
    """The fields that a lookup leads along. It ends where no field follows, such as at a transform."""
    fields: list[object] = []
    for name in path:
        try:
            field: Any = model._meta.pk if name == "pk" else model._meta.get_field(name)
        except FieldDoesNotExist:
            break
        fields.append(field)
        if not field.is_relation or field.related_model is None:
            break
        model = field.related_model
    return fields
