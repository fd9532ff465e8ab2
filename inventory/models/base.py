"""Bases of the models of both apps."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from django.db import connection, models

from inventory.db.lookups import Numbers


class Kept(models.Model):
    """Rows that may be deleted at any time. Writers that refer to one lock it until they commit."""

    #: SQL condition for rows that count as existing.
    there: ClassVar[str] = "TRUE"

    class Meta:
        abstract = True

    @classmethod
    def keeping(cls) -> str:
        """SQL that selects a row by its id and locks it until the transaction ends.

        Django has no name for this lock: writers share it, and only a deletion waits for it.
        """
        sql = f"SELECT 1 FROM {cls._meta.db_table} WHERE id = %s AND {cls.there}"  # nosec B608  # noqa: S608 - only names of columns and tables are put in
        return f"{sql} FOR KEY SHARE" if connection.vendor == "postgresql" else sql

    @classmethod
    def kept(cls, pks: Collection[int]) -> set[int]:
        """Those of these rows (ids) that exist. They are not deleted until this transaction ends."""
        rows = cls._default_manager.filter(pk__among=Numbers(pks)).order_by("pk").values_list("pk")
        sql, params = rows.query.sql_with_params()
        with connection.cursor() as cursor:
            cursor.execute(f"{sql} FOR KEY SHARE" if connection.vendor == "postgresql" else sql, params)
            return {pk for (pk,) in cursor.fetchall()}

    def is_kept(self) -> bool:
        """Whether the row exists. If so, it is not deleted until this transaction ends."""
        with connection.cursor() as cursor:
            cursor.execute(self.keeping(), [self.pk])
            return cursor.fetchone() is not None


class Timestamped(models.Model):
    created_on = models.DateTimeField(auto_now_add=True)
    updated_on = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


#: Maximum length of a name at any cloud: 256 for EC2's tags, 255 on OpenStack.
NAME_LENGTH = 256

#: The operator class of text in PostgreSQL's indexes, which serve `=` and prefixes in every collation.
FOR_PATTERNS = "varchar_pattern_ops"


def unique_in_provider(name: str) -> models.UniqueConstraint:
    """Each of a cloud's ids is unique in its provider. Also the index for lookups by such an id."""
    return models.UniqueConstraint(
        fields=["ems_ref", "provider"], opclasses=[FOR_PATTERNS, "int8_ops"], name=f"{name}_ems_ref_unique"
    )


def index_of_text(field: str, name: str) -> models.Index:
    """An index for lookups by text, with equal rows in the order of pages.

    It doesn't sort by the text. For large tables that are sorted by name, a migration adds an index by code point,
    the order that SQLite's indexes have anyway.
    """
    return models.Index(fields=[field, "id"], opclasses=[FOR_PATTERNS, "int8_ops"], name=name)


def index_of_many(field: str, name: str) -> models.Index:
    """An index for a value that many rows share, in the order of pages, so that a page reads only its rows."""
    return models.Index(fields=[field, "id"], name=name)
