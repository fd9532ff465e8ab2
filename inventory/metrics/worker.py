"""A small HTTP server with the metrics of a worker, for hosts that have no web server."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from celery.signals import worker_init
from django.conf import settings

from inventory import messages
from inventory.metrics.exposition import CONTENT_TYPE, counted, may_read

#: A client that sends nothing is disconnected after so many seconds.
TIMEOUT = 10


class _Handler(WSGIRequestHandler):
    timeout = TIMEOUT

    def log_message(self, *arguments: Any) -> None:
        """Requests for metrics leave no line."""

    def address_string(self) -> str:
        """Without a look at DNS."""
        return str(self.client_address[0])


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Without `WSGIServer`'s look at DNS."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = map(str, self.server_address[:2])  # type: ignore[assignment]
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    is_found = environ["PATH_INFO"] == "/metrics" and environ["REQUEST_METHOD"] in {"GET", "HEAD"}
    if not (is_found and may_read(environ)):
        status = HTTPStatus.NOT_FOUND
        start_response(f"{status.value} {status.phrase}", [])
        return []
    body = counted()
    start_response("200 OK", [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def serve(address: str, port: int) -> WSGIServer:
    """Serve the metrics of this process until it ends. Raises `OSError` if the port is taken."""
    kind = _Server6 if ":" in address else _Server
    server = make_server(address, port, respond, kind, _Handler)
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


@worker_init.connect
def serve_as_set(**kwargs: Any) -> None:
    """Serve a worker's metrics at `WORKER_METRICS_PORT`, if there is one."""
    if port := settings.WORKER_METRICS_PORT:
        try:
            serve(settings.WORKER_METRICS_ADDRESS, port)
        except OSError as error:
            sys.exit(messages.cannot_listen(settings.WORKER_METRICS_ADDRESS, port, error.strerror or str(error)))
