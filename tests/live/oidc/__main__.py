"""The provider: `python -m tests.live.oidc FD` serves on that listening socket until its standard input closes."""

from __future__ import annotations

import os
import socket
import sys
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


def main(fd: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.live.oidc.settings"
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    server = WSGIServer(("127.0.0.1", 0), Quiet, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=fd)
    server.server_name, server.server_port = server.socket.getsockname()
    server.setup_environ()
    server.set_app(get_wsgi_application())
    Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
