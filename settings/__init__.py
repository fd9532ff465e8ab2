"""Settings of Portcullis. Loads the Celery application, which `shared_task` needs."""

from settings.celery import app as celery_app

__all__ = ["celery_app"]
