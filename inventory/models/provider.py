from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models

from inventory import drivers
from inventory.drivers.base import Driver
from inventory.drivers.boundary import Checked
from inventory.drivers.exceptions import CloudError
from inventory.drivers.rate_limit import UNLIMITED, RateLimiter
from inventory.drivers.values import Connection, Interface
from inventory.encryption import UnreadableSecret
from inventory.fields import EncryptedJSONField
from inventory.messages import NAME_TAKEN, PROVIDER_DELETED, provider_disabled
from inventory.models.base import Kept, Timestamped
from inventory.querysets import ProviderQuerySet
from inventory.validators import validate_endpoint, validate_hostname, validate_path

DriverClass = type[Driver]

#: Attributes that affect where credentials are sent, or who could read them.
ADDRESS = frozenset(
    {"certificate_authority", "hostname", "interface", "path", "port", "security_protocol", "url", "verify_ssl"}
)


class Provider(Kept, Timestamped):
    """A connected cloud account or endpoint."""

    #: Writers stop before its deletion begins.
    there = "deleted_on IS NULL"

    class SecurityProtocol(models.TextChoices):
        PLAIN = "non-ssl"
        TLS = "ssl"
        VERIFIED_TLS = "ssl-with-validation"

    class Interface(models.TextChoices):
        PUBLIC = "public"
        INTERNAL = "internal"
        ADMIN = "admin"

    name = models.CharField(max_length=255)
    #: The kind of its cloud, of `settings.DRIVERS` if Portcullis can talk to it.
    vendor = models.CharField(max_length=255)
    guid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    provider_region = models.CharField(max_length=255, null=True, blank=True)
    hostname = models.CharField(max_length=255, null=True, blank=True, validators=[validate_hostname])
    port = models.PositiveIntegerField(null=True, blank=True, validators=[MaxValueValidator(65535)])
    path = models.CharField(
        max_length=255,
        null=True,
        blank=True,
        validators=[validate_path],
        help_text="What follows hostname and port, such as /identity.",
    )
    url = models.CharField(
        max_length=2048,
        null=True,
        blank=True,
        validators=[validate_endpoint],
        help_text="Endpoint; empty for the cloud's own.",
    )
    security_protocol = models.CharField(max_length=32, choices=SecurityProtocol.choices, null=True, blank=True)
    verify_ssl = models.BooleanField(default=True)
    certificate_authority = models.TextField(null=True, blank=True, help_text="PEM of the CA to trust.")
    project = models.CharField(max_length=255, null=True, blank=True)
    uid_ems = models.CharField(max_length=255, null=True, blank=True)
    interface = models.CharField(
        max_length=16,
        choices=Interface.choices,
        default=Interface.PUBLIC,
        help_text="Which endpoints of the catalog are used. Only OpenStack has several.",
    )
    enabled = models.BooleanField(default=True)
    credentials = EncryptedJSONField(
        bound_to="guid", default=dict, blank=True, help_text="userid and password; never shown."
    )
    last_refresh_date = models.DateTimeField(null=True, editable=False)
    last_refresh_error = models.TextField(null=True, editable=False)
    #: When a refresh first read all of it. Until then its rows leave no events of their own.
    known_since = models.DateTimeField(null=True, editable=False)
    #: When its deletion was accepted. From then on only the task that deletes it can see it.
    deleted_on = models.DateTimeField(null=True, editable=False)

    objects = ProviderQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(deleted_on=None),
                name="provider_name_unique",
                violation_error_message=NAME_TAKEN,
            )
        ]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(deleted_on__isnull=False), name="provider_deleted")
        ]
        permissions = [("refresh_provider", "Can refresh a provider")]

    def __str__(self) -> str:
        return self.name

    @property
    def driver_class(self) -> DriverClass | None:
        """The driver of this type of cloud, or None."""
        try:
            return drivers.driver_class(self.vendor)
        except KeyError:
            return None

    @property
    def supports_security_groups(self) -> bool:
        return (driver := self.driver_class) is not None and driver.supports_security_groups

    @property
    def confines_groups(self) -> bool:
        """Whether the cloud confines each security group to networks."""
        return (driver := self.driver_class) is not None and bool(driver.groups_have_networks)

    def driver(self, rate_limiter: RateLimiter = UNLIMITED) -> Driver:
        """A driver for this provider, with checked answers. Raises `KeyError` for an unknown vendor."""
        return cast(Driver, Checked(drivers.driver_class(self.vendor)(self.connection, rate_limiter)))

    @property
    def connection(self) -> Connection:
        return Connection(
            url=self.endpoint,
            region=self.provider_region,
            userid=self.credentials.get("userid", ""),
            password=self.credentials.get("password", ""),
            verify_ssl=self.verify_ssl and self.security_protocol != self.SecurityProtocol.TLS,
            certificate_authority=self.certificate_authority,
            project=self.project,
            domain=self.uid_ems,
            auth_type=self.credentials.get("auth_type", "password"),
            interface=cast(Interface, self.interface),
            answer_time=settings.CLOUD_ANSWER_TIME,
            answer_size=settings.CLOUD_ANSWER_SIZE,
            list_size=settings.CLOUD_LIST_SIZE,
            networks=settings.CLOUD_NETWORKS,
        )

    def sends_elsewhere(self, attributes: Mapping[str, Any]) -> bool:
        """Whether these attributes would send the stored credentials to another address."""
        names = ADDRESS & attributes.keys()
        has_changed = any((attributes[name] or None) != (getattr(self, name) or None) for name in names)
        return has_changed and self.has_credentials

    @property
    def has_credentials(self) -> bool:
        """Whether credentials are stored, even unreadable ones."""
        try:
            return bool(self.credentials)
        except UnreadableSecret:
            return True

    def ensure_enabled(self) -> None:
        """Raises `CloudError` if the provider is disabled or deleted in the database."""
        match Provider.objects.connected().filter(pk=self.pk).values_list("enabled", flat=True).first():
            case None:
                raise CloudError(PROVIDER_DELETED)
            case False:
                raise CloudError(provider_disabled(self.name))

    @property
    def endpoint(self) -> str | None:
        """`url`, or one made of `hostname`, `port`, `path` and `security_protocol`; None is the default."""
        if self.url or not self.hostname:
            return self.url or None
        port = self.port or (self.driver_class and self.driver_class.default_port)
        scheme = "http" if self.security_protocol == self.SecurityProtocol.PLAIN else "https"
        host = f"[{self.hostname}]" if ":" in self.hostname else self.hostname
        path = (self.path or "").strip("/")
        return f"{scheme}://{host}" + (f":{port}" if port else "") + (f"/{path}" if path else "")
