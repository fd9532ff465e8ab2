"""Moto's server as a script: `moto_server.py FD` serves on that listening socket until its standard input closes.

A socket handed over leaves no moment at which somebody else could take the port, and standard input closes by
itself with the process that started this one: a killed test run leaves no server behind.
"""

import logging
import sys
from threading import Thread

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server


def main(fd: int) -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler, fd=fd)
    Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
