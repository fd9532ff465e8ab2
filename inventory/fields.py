"""Model fields."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from inventory.messages import UNREADABLE_CREDENTIALS


class UnreadableSecret(Exception):
    """A stored secret was encrypted with an unknown key."""


@cache
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


class EncryptedJSONField(models.TextField):  # type: ignore[type-arg]
    """A JSON value that is encrypted in the database (Fernet, keys in `settings.CREDENTIALS_KEYS`)."""

    def get_prep_value(self, value: Any) -> str:
        return _cipher(tuple(settings.CREDENTIALS_KEYS)).encrypt(json.dumps(value).encode()).decode()

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        return None if value is None else self._decrypted(value)

    def value_to_string(self, obj: models.Model) -> str:
        """Encrypted for `dumpdata` as well."""
        return self.get_prep_value(self.value_from_object(obj))

    def to_python(self, value: Any) -> Any:
        return self._decrypted(value) if isinstance(value, str) else value

    @staticmethod
    def _decrypted(value: str) -> Any:
        try:
            return json.loads(_cipher(tuple(settings.CREDENTIALS_KEYS)).decrypt(value))
        except InvalidToken as error:
            raise UnreadableSecret(UNREADABLE_CREDENTIALS) from error
