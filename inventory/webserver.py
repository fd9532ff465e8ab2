"""The web server: Gunicorn's processes, in each of which Waitress speaks HTTP.

Gunicorn keeps the processes running, shares the project among them and stops them. Its own workers read a request
in the thread that answers it, so a client who sends half a request occupies a thread. Waitress reads requests and
their bodies, and sends responses, in one loop. It hands only whole requests to the threads.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.conf import settings
from gunicorn.workers.base import Worker
from waitress import create_server
from waitress.channel import HTTPChannel
from waitress.proxy_headers import proxy_headers_middleware
from waitress.server import BaseWSGIServer
from waitress.task import WSGITask
from waitress.wasyncore import close_all, dispatcher, loop

from inventory import capacity
from inventory.proxies import Proxies, peer_address

#: How often a process looks whether it must stop.
POLL_SECONDS = 1.0
#: A connection without traffic is closed after this many seconds.
IDLE_TIMEOUT = 60
#: Bytes of the request line and all headers. Filters may be long.
MAX_HEADERS = 64 * 1024
#: File descriptors for everything but clients: the database, the broker, logs.
RESERVED_DESCRIPTORS = 256
#: A client may need a socket, and a temporary file for each of a long body and a long response.
DESCRIPTORS_PER_CLIENT = 3


#: A 429 is sent after so many seconds. Whoever does not wait as it says waits here, without a thread.
REFUSAL_SECONDS = 1.0


class Response(WSGITask):
    """A request that a thread answers."""

    def build_response_header(self) -> bytes:
        if self.status.startswith("429"):
            self.channel.hold(REFUSAL_SECONDS)
        header: bytes = super().build_response_header()
        return header


class Client(HTTPChannel):
    """A connection. It takes no further requests once its server is stopping."""

    task_class = Response
    _held_until = 0.0

    def hold(self, seconds: float) -> None:
        """Send nothing for so many seconds."""
        self._held_until = time.monotonic() + seconds

    @property
    def is_held(self) -> bool:
        return time.monotonic() < self._held_until

    def writable(self) -> bool:
        return not self.is_held and bool(super().writable())

    def _flush_some(self, do_close: bool = True) -> bool:
        return not self.is_held and bool(super()._flush_some(do_close))

    def readable(self) -> bool:
        return not getattr(self.server, "is_stopping", False) and bool(super().readable())

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered, or its response is not sent yet."""
        return bool(self.requests or self.total_outbufs_len)


class BufferingWorker(Worker):
    """A process that hands a request to one of its `--threads` threads when all of it has arrived."""

    def run(self) -> None:
        capacity.web_threads = self.cfg.threads
        dispatchers: dict[int, Any] = {}
        server = create_server(
            self._application(),
            map=dispatchers,
            sockets=[listener.sock for listener in self.sockets],
            threads=self.cfg.threads,
            backlog=self.cfg.backlog,
            connection_limit=max((_all_descriptors() - RESERVED_DESCRIPTORS) // DESCRIPTORS_PER_CLIENT, 100),
            channel_timeout=IDLE_TIMEOUT,
            cleanup_interval=IDLE_TIMEOUT // 4,
            max_request_header_size=MAX_HEADERS,
            url_prefix=settings.PATH_PREFIX,  # where the proxy leaves it in the path
            # To refuse a body in the words of the API it has to be read, if it is not far too long.
            max_request_body_size=4 * settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            asyncore_use_poll=True,
            ident=None,
            clear_untrusted_proxy_headers=False,  # which _application does
        )
        servers = [listener for listener in dispatchers.values() if isinstance(listener, BaseWSGIServer)]
        for listener in servers:
            listener.channel_class = Client
        while self.alive and self.ppid == os.getppid():
            self._serve(dispatchers, POLL_SECONDS)
        self._finish(servers, dispatchers)
        server.task_dispatcher.shutdown()
        close_all(dispatchers)

    def _serve(self, dispatchers: dict[int, Any], seconds: float) -> None:
        """Read and send whatever is due within so many seconds, and tell the master that this process is alive."""
        self.notify()
        loop(seconds, use_poll=True, map=dispatchers, count=1)

    def _finish(self, servers: list[Any], dispatchers: dict[int, Any]) -> None:
        """Stop listening, finish the requests that have arrived, and close all connections."""
        for listener in servers:
            listener.is_stopping = True
            dispatcher.close(listener)  # its own close() would also close what threads wake the loop with
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < deadline:
            clients = [client for client in list(dispatchers.values()) if isinstance(client, Client)]
            if not clients:
                return
            for client in clients:
                client.will_close = client.will_close or not client.is_busy
            self._serve(dispatchers, min(POLL_SECONDS, 0.1))

    def _application(self) -> WSGIApplication:
        """The application, with scheme and client as trusted proxies tell them, and without a body for HEAD."""
        proxies = Proxies(self.cfg.forwarded_allow_networks(), everybody="*" in self.cfg.forwarded_allow_ips)
        trusting = proxy_headers_middleware(
            self.wsgi, trusted_proxy="*", trusted_proxy_headers={"x-forwarded-proto"}
        )
        distrusting = proxy_headers_middleware(self.wsgi)

        def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            peer = peer_address(environ["REMOTE_ADDR"])
            trusted = proxies.include(peer)
            client = proxies.client(peer, environ.get("HTTP_X_FORWARDED_FOR") if trusted else None)
            environ["REMOTE_ADDR"] = environ["REMOTE_HOST"] = str(client or "")
            application = trusting if trusted else distrusting
            response: Iterable[bytes] = application(environ, start_response)
            if environ["REQUEST_METHOD"] != "HEAD":
                return response
            getattr(response, "close", lambda: None)()
            return ()

        return respond


def _all_descriptors() -> int:
    """Raise the limit of file descriptors as far as this process may, and return it."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = 65_536 if allowed == resource.RLIM_INFINITY else min(allowed, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, allowed))
    return descriptors
