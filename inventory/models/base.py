"""What the models of both apps share."""

from __future__ import annotations

from typing import ClassVar

from django.db import connection, models


class Kept(models.Model):
    """Rows that may be deleted at any time: whoever writes what names one keeps it until that is written."""

    #: When a row counts as one that is there, in SQL.
    there: ClassVar[str] = "TRUE"

    class Meta:
        abstract = True

    @classmethod
    def keeping(cls) -> str:
        """The statement that finds a row by its id and keeps it until the transaction ends.

        It takes a lock for which Django has no name: those who write share it, only a deletion waits for it.
        """
        found = f"SELECT 1 FROM {cls._meta.db_table} WHERE id = %s AND {cls.there}"  # noqa: S608
        return f"{found} FOR KEY SHARE" if connection.vendor == "postgresql" else found

    def is_kept(self) -> bool:
        """Whether it is there; if so, it and what is of it is not deleted until this transaction ends."""
        with connection.cursor() as cursor:
            cursor.execute(self.keeping(), [self.pk])
            return cursor.fetchone() is not None


class Timestamped(models.Model):
    created_on = models.DateTimeField(auto_now_add=True)
    updated_on = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


#: Most characters of a name at any cloud: a tag on EC2 has 256, a name on OpenStack 255.
NAME_LENGTH = 256

#: Of a text in an index of PostgreSQL: it then serves both `=` and the beginning of the text, in every language of
#: a database.
FOR_PATTERNS = "varchar_pattern_ops"


def unique_in_provider(name: str) -> models.UniqueConstraint:
    """A provider has each of its cloud's ids once; also the index by which anybody finds a row by such an id."""
    return models.UniqueConstraint(
        fields=["ems_ref", "provider"], opclasses=[FOR_PATTERNS, "int8_ops"], name=f"{name}_ems_ref_unique"
    )


def index_of_text(field: str, name: str) -> models.Index:
    """The index of a text that rows are found by, those with the same text in the order of their pages.

    It doesn't sort by the text. Where many rows are listed by name, a migration makes an index in the order of
    code points, which SQLite's indexes have anyway.
    """
    return models.Index(fields=[field, "id"], opclasses=[FOR_PATTERNS, "int8_ops"], name=name)


def index_of_many(field: str, name: str) -> models.Index:
    """The index of what many rows have in common: in the order of their pages, so that one is read alone."""
    return models.Index(fields=[field, "id"], name=name)
