"""The Celery application, configured by the `CELERY_*` settings of Django."""

import os

import celery.app.amqp  # noqa: F401 - Celery imports it late, which fails in a stopping scheduler
from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.base")

TRANSPORT_ALIASES["embedded"] = "inventory.broker:Transport"

app = Celery("portcullis")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
