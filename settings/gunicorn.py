"""Gunicorn's configuration, for `--config=python:settings.gunicorn`: the metrics of its processes, and its log.

The processes keep what they count in files, so that each can show the numbers of all. `standalone` shares the
folder with the worker, and prepares it itself. The client library looks for the folder when it is imported, so
only functions import it here.
"""

import os
import shutil
from typing import Any

from gunicorn import glogging

from settings.base import LOG_FORMAT, VAR

if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(VAR / "metrics")
    shutil.rmtree(VAR / "metrics", ignore_errors=True)  # of processes that have ended


class Logger(glogging.Logger):
    """Leaves Gunicorn's own lines to the log of the service where that is JSON."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        if LOG_FORMAT == "json":
            self.error_log.handlers.clear()
            self.error_log.propagate = True


logger_class = Logger


def child_exit(server: Any, worker: Any) -> None:
    """Forget what counts only while a process lives."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def worker_exit(server: Any, worker: Any) -> None:
    """Count the last requests of a process."""
    from inventory.metrics.requests import requests

    requests.count()
