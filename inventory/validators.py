"""Validators for forms, serializers and models."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from inventory.drivers.endpoints import FILE_URL

#: A path after host and port, without characters that could change the host or add a query.
validate_path = RegexValidator(r"^[A-Za-z0-9._~/-]*\Z", "Enter a path of letters, digits and . _ ~ / -.")


def validate_endpoint(url: str) -> None:
    """The address of a cloud (http or https, with any host), or of a file."""
    if url.startswith("file:"):
        if not FILE_URL.fullmatch(url):
            raise ValidationError(
                "Enter file:///NAME, with the plain name of an exported inventory.", code="endpoint"
            )
        return
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValidationError("Enter an http or https URL.", code="endpoint")
