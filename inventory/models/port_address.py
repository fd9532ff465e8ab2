from __future__ import annotations

from django.db import models
from django.db.models import Q

from inventory.models.network_port import NetworkPort
from inventory.models.tally import Nothing


class PortAddress(models.Model):
    """An address of a port, or a range of its allowed address pairs. Triggers keep it: `inventory.db.addresses`.

    An address is the byte 4 or 6 and its own bytes, so IPv4 comes first. Both are null if the cloud told none.
    """

    class Kind(models.TextChoices):
        OWN = "own"
        #: Translated to the port from outside.
        TRANSLATED = "translated"
        PAIR = "pair"

    #: Without a constraint in the database, which the triggers make needless.
    network_port = models.ForeignKey(
        NetworkPort, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    first = models.BinaryField(null=True)
    last = models.BinaryField(null=True)

    dumped = Nothing()
    objects = models.Manager["PortAddress"]()

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["network_port", "first", "kind"], name="port_address_port"),
            models.Index(fields=["kind", "first", "last"], name="port_address_first"),
            models.Index(fields=["network_port"], condition=Q(first=None), name="port_address_unknown"),
        ]

    def __str__(self) -> str:
        return f"{self.network_port_id}: {self.kind}"
