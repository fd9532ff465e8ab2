"""What the models of both apps share."""

from __future__ import annotations

from django.db import models


class Timestamped(models.Model):
    created_on = models.DateTimeField(auto_now_add=True)
    updated_on = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


def unique_in_provider(name: str) -> models.UniqueConstraint:
    """A provider has each of its cloud's ids once; also the index by which a refresh finds its rows."""
    return models.UniqueConstraint(fields=["provider", "ems_ref"], name=f"{name}_ems_ref_unique")
