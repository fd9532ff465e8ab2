"""Validators for forms, serializers and models."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from inventory.drivers.endpoints import FILE_URL, problem_of_url

#: A path after host and port, without characters that could change the host or add a query.
validate_path = RegexValidator(r"^[A-Za-z0-9._~/-]*\Z", "Enter a path of letters, digits and . _ ~ / -.")

#: What can't be in a host: it would end it, or be a user and a password.
validate_hostname = RegexValidator(
    r"^[^/\\?#@]*\Z", "Enter a host name or an IP address, without credentials or a path."
)


def validate_endpoint(url: str) -> None:
    """The address of a cloud (http or https, with any host), or of a file."""
    if url.startswith("file:"):
        if not FILE_URL.fullmatch(url):
            raise ValidationError(
                "Enter file:///NAME, with the plain name of an exported inventory.", code="endpoint"
            )
        return
    if problem := problem_of_url(url):
        raise ValidationError(problem, code="endpoint")
