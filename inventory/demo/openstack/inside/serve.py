"""`serve.py SERVICE=PORT ...`: WSGI applications of OpenStack on loopback, in threads, until SIGTERM.

Placement has a configuration of its own and can be in one process with another; of the others each needs its own.
"""

import os
import signal
import sys
from importlib import import_module
from threading import Event, Thread

import sqlite  # noqa: F401 - before anything opens a database
from cheroot.wsgi import Server

APPLICATIONS = {
    "keystone": "keystone.wsgi.api",
    "placement": "placement.wsgi.api",
    "neutron": "neutron.wsgi.api",
    "glance": "glance.wsgi.api",
}
THREADS = 8
#: Keystone's middleware keeps the token of the request it serves in itself: of two at a time, one is taken for the
#: other, with its roles.
ONE_AT_A_TIME = {"keystone"}


def serve(applications):
    """Serve each of these, (service, port, application), until the process is to end."""
    for service, port, application in applications:
        threads = 1 if service in ONE_AT_A_TIME else THREADS
        server = Server(("127.0.0.1", port), application, numthreads=threads, request_queue_size=128, timeout=120)
        server.keep_alive_conn_limit = 100  # of 10, more clients lose their connections all the time
        server.prepare()
        Thread(target=server.serve, daemon=True).start()
    stopped = Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopped.set())
    stopped.wait()
    os._exit(0)  # some threads of the services would never end


def main():
    ports = dict(argument.split("=") for argument in sys.argv[1:])
    applications = []
    for service, port in ports.items():
        sys.argv = [service]  # which the services would read as theirs
        applications.append((service, int(port), import_module(APPLICATIONS[service]).application))
        if service == "neutron":
            # Else the first requests do it, several at a time, and some find no policy that allows them anything.
            import_module("neutron.policy").init()
    serve(applications)


if __name__ == "__main__":
    main()
