"""The keys that the stored credentials are encrypted with."""

from __future__ import annotations

from dataclasses import dataclass, field

from inventory.encryption import UnreadableSecret
from inventory.models import Provider

_column = Provider._meta.get_field("credentials")


@dataclass(slots=True)
class Rotation:
    """The result of a rotation. `unreadable` has the names of providers and the reasons."""

    total: int = 0
    rotated: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def rotate_credentials() -> Rotation:
    """Encrypt the credentials of all providers with the first key, while others use and change them.

    A row is only written if it is still as it was read, so no change is lost. It may be interrupted and repeated.
    """
    rotation = Rotation()
    for pk, name in Provider.objects.order_by("pk").values_list("pk", "name"):
        rotation.total += 1
        try:
            rotation.rotated += _rotate(pk)
        except UnreadableSecret as error:
            rotation.unreadable.append((name, str(error)))
    return rotation


def _rotate(pk: int) -> bool:
    """Whether the credentials had another key, and now have the first. Raises `UnreadableSecret`."""
    rows = Provider.objects.filter(pk=pk)
    while provider := rows.only("guid", "credentials").first():
        stored = _column.stored(provider)
        provider.credentials = _column.decrypted(stored, provider)  # may be damaged even if it has the first key
        if stored.has_first_key:
            return False
        if rows.filter(credentials=stored).update(credentials=_column.encrypted(provider)):
            return True
    return False


def unreadable_credentials() -> tuple[list[tuple[str, str]], int]:
    """The providers whose credentials can't be read, with the reasons; and how many credentials are stored."""
    unreadable, number = [], 0
    for provider in Provider.objects.order_by("pk").only("name", "guid", "credentials"):
        stored = _column.stored(provider)
        number += bool(stored.text)
        try:
            _column.decrypted(stored, provider)
        except UnreadableSecret as error:
            unreadable.append((provider.name, str(error)))
    return unreadable, number
