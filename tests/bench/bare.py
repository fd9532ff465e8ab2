"""What changes are compared with: Celery alone, and Celery with one message for each change.

Neither has a row in the database, a lease or an order; what is done is told to a socket, with the seconds since
the message was sent. `BENCH_SOCKET` is its path.
"""

from __future__ import annotations

import os
import socket
import time
from functools import cache
from typing import Any

from celery import Celery

from inventory.drivers.ec2 import Ec2Driver
from inventory.drivers.values import Connection

app = Celery("bench", broker=os.environ["CELERY_BROKER_URL"])
app.conf.update(
    task_default_queue=os.environ["CELERY_QUEUE"], task_ignore_result=True, worker_hijack_root_logger=False
)
_telling = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


@app.task
def nothing(sent: float) -> None:
    _tell(sent)


@app.task
def change(sent: float, url: str, action: str, instance: str, group: str) -> None:
    """One reading and one write, by the same driver, which is kept; two of an instance at a time lose a change."""
    driver = _driver(url)
    for port in driver.ports(instance):
        others = [ref for ref in port.group_refs if ref != group]
        driver.change_groups(port, [*others, group] if action == "add" else others)
    _tell(sent)


@cache
def _driver(url: str) -> Any:
    return Ec2Driver(Connection(url=url, userid="bench", password="bench"))


def _tell(sent: float) -> None:
    _telling.sendto(f"{time.time() - sent}".encode(), os.environ["BENCH_SOCKET"])
