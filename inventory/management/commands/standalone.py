"""Run the whole service."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import closing
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections

from inventory import demo as demonstration
from inventory import messages
from inventory.standalone import preparation, programs
from inventory.standalone.supervisor import Supervisor


class Command(BaseCommand):
    help = "Runs the API, the admin, a worker and the scheduler until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument(
            "--port", default=8000, type=int, help="port to listen on, 0 for any free port (default: %(default)s)"
        )
        parser.add_argument(
            "--demo",
            nargs="?",
            const="ec2",
            choices=["ec2", "openstack"],
            help="also run a demonstration cloud on loopback (default: ec2)",
        )

    def handle(self, *, host: str, port: int, demo: str | None, **options: Any) -> None:
        preparation.check_debug(host)
        if demo:
            demonstration.ensure_installed(demo)
        lock = preparation.sole_service()
        with closing(preparation.listen(host, port)) as listening:
            preparation.keep_private(self.stderr.write)
            preparation.forget_metrics()
            preparation.migrate()
            preparation.check_credentials(self.stderr.write)
            name, password = preparation.admin_account()
            connections.close_all()
            url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
            self._welcome(url, name, password)
            parts = [programs.web(listening.fileno(), lock), programs.worker(lock), programs.scheduler(lock)]
            if demo:
                parts.append(demonstration.program(demo, url, name, password, lock))
            Supervisor(parts, report=self.stderr.write).run()

    def _welcome(self, url: str, name: str, password: str | None) -> None:
        for line in messages.welcome(url, name, password, settings.VAR):
            self.stdout.write(line)
        self.stdout.flush()  # a program may be reading it
