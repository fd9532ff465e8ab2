"""What the models of both apps share."""

from __future__ import annotations

from django.db import models


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
