"""The Celery application; its configuration is the `CELERY_*` part of the Django settings."""

import os

import celery.app.amqp  # noqa: F401 - Celery imports it late, where a scheduler that is asked to stop would fail
from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")

TRANSPORT_ALIASES["embedded"] = "inventory.broker:Transport"

app = Celery("portcullis")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
