"""Model fields."""

from __future__ import annotations

import json
from typing import Any

from django.db import models

from inventory.encryption import Ciphertext, decrypt, encrypt


class Serialized(Ciphertext):
    """A ciphertext from a dump. It is not decrypted, because `loaddata` saves an attribute as it is."""


class _Decrypting:
    """The attribute of an encrypted field. It decrypts when it is first read, so that rows load without a key."""

    def __init__(self, field: EncryptedJSONField) -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type[models.Model]) -> Any:
        if instance is None:
            return self
        value = self.field.stored(instance)
        if type(value) is Ciphertext:
            value = instance.__dict__[self.field.attname] = self.field.decrypted(value, instance)
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedJSONField(models.TextField):  # type: ignore[type-arg]
    """A JSON value that is encrypted in the database, and can only be decrypted in its own row.

    `bound_to` names a field of the row that is unique, never changes, and has its value before the row is
    inserted. An automatic `id` has none before.

    Read the value as an attribute, which may raise `UnreadableSecret`. `values()` and `values_list()` return a
    `Ciphertext`. Set it with `save()`, because `update()` knows no row; it only takes a `Ciphertext`.
    """

    descriptor_class = _Decrypting
    non_db_attrs = (*models.TextField.non_db_attrs, "bound_to")

    def __init__(self, *args: Any, bound_to: str = "id", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bound_to = bound_to

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, kwargs | {"bound_to": self.bound_to}

    def get_lookup(self, lookup_name: str) -> Any:
        """Ciphertexts can be compared as a whole. Every other lookup would only leak them."""
        return super().get_lookup(lookup_name) if lookup_name in {"exact", "isnull"} else None

    def get_transform(self, lookup_name: str) -> Any:
        return None

    def stored(self, instance: models.Model) -> Any:
        """The value of the attribute without decrypting it: a `Ciphertext` unless it was set or read before."""
        if self.attname not in instance.__dict__:
            rows = type(instance)._base_manager.using(instance._state.db).filter(pk=instance.pk)
            instance.__dict__[self.attname] = rows.values_list(self.attname, flat=True).get()
        return instance.__dict__[self.attname]

    def encrypted(self, instance: models.Model) -> Ciphertext:
        """The value for the database. One that was not decrypted stays as it is."""
        value = self.stored(instance)
        if isinstance(value, Ciphertext):
            return value
        return encrypt(json.dumps(value).encode(), self._place(instance))

    def decrypted(self, ciphertext: Ciphertext, instance: models.Model) -> Any:
        """Raises `UnreadableSecret`."""
        return json.loads(decrypt(ciphertext, self._place(instance))) if ciphertext.text else self.get_default()

    def _place(self, instance: models.Model) -> str:
        field: Any = instance._meta.get_field(self.bound_to)
        row = field.to_python(getattr(instance, field.attname))
        if row is None:
            raise LookupError(f"{self.name} can't be encrypted before the row has its {self.bound_to}.")
        return f"{instance._meta.db_table}.{self.column}:{row}"

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return self.encrypted(model_instance)

    def get_prep_value(self, value: Any) -> str:
        if not isinstance(value, Ciphertext):
            raise TypeError(f"{self.name} is encrypted for its row. Set it with save().")
        return value.text

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Ciphertext | None:
        return None if value is None else Ciphertext(value)

    def value_from_object(self, obj: models.Model) -> Any:
        """Not decrypted for `dumpdata`, which may lack the key."""
        return self.stored(obj)

    def value_to_string(self, obj: models.Model) -> str:
        """Encrypted for `dumpdata` as well."""
        return self.encrypted(obj).text

    def to_python(self, value: Any) -> Any:
        return Serialized(value) if isinstance(value, str) else value
