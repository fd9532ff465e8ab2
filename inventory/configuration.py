"""System checks of the environment, and what runs them in processes that no command of Django's starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register, run_checks
from django.core.checks.security.base import check_secret_key, check_secret_key_fallbacks
from django.core.exceptions import ImproperlyConfigured

from inventory import messages

#: The environment variable by which `standalone` tells its processes that it has checked their settings.
CHECKED = "PORTCULLIS_CHECKED"

_PLACEHOLDER = "CHANGE-ME"


@register(Tags.security)
def placeholders_are_replaced(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """No variable has what stands for a secret in `deploy/portcullis.env`."""
    names = [name for name, value in sorted(os.environ.items()) if _PLACEHOLDER in value]
    return [Error(messages.placeholder_left(name), id="inventory.E004") for name in names]


@register(Tags.security)
def keys_are_strong(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Django's bounds for its keys, of which it only warns before a deployment."""
    weak = [*check_secret_key(app_configs), *check_secret_key_fallbacks(app_configs)]
    return [Error(str(warning.msg), id="inventory.E005") for warning in weak]


def refuse_bad_settings() -> None:
    """Raise ImproperlyConfigured in a process that must not serve with these settings."""
    if CHECKED in os.environ:
        return
    results = run_checks(tags=[Tags.security])
    problems = [str(message.msg) for message in results if message.is_serious() and not message.is_silenced()]
    if settings.DEBUG:
        problems.append(messages.DEBUG_IS_ON)
    if problems:
        raise ImproperlyConfigured(" ".join(problems))
