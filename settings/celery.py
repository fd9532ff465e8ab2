"""The Celery application, configured by the `CELERY_*` settings of Django."""

import os
from typing import Any

import celery.app.amqp  # noqa: F401 - Celery imports it late, which fails in a stopping scheduler
from celery import Celery, signals
from django.core.exceptions import ImproperlyConfigured
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")

TRANSPORT_ALIASES["embedded"] = "inventory.broker:Transport"

app = Celery("portcullis")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.worker_init.connect
@signals.beat_init.connect
def refuse_bad_settings(**kwargs: Any) -> None:
    """End a worker or a scheduler that must not start. Celery only logs other exceptions here."""
    from inventory import configuration, messages  # they need the apps, which Celery has set up by now

    try:
        configuration.refuse_bad_settings()
    except ImproperlyConfigured as error:
        raise SystemExit(messages.not_configured(error)) from error
