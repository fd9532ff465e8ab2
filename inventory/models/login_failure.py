from __future__ import annotations

from django.conf import settings
from django.db import models

#: As long as the network of an IPv6 address.
ADDRESS_LENGTH = 43


class LoginFailure(models.Model):
    """A failed login. It counts against its address, and against its user or name at this address."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    #: A digest of a name that no user has, or of an unknown token. People type passwords in the wrong field.
    digest = models.CharField(max_length=64, null=True)
    #: The client's address, or the network of an IPv6 address, as `inventory.logins.client_network` has it.
    #: Of a wrong old password on the page for a new one, a digest of the session.
    address = models.CharField(max_length=ADDRESS_LENGTH)
    failed_on = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view", "delete")
        ordering = ["-failed_on", "-id"]
        indexes = [models.Index(fields=["address", "failed_on"], name="login_failure_address")]

    def __str__(self) -> str:
        return f"{self.address}, {self.failed_on:%Y-%m-%d %H:%M:%S}"
