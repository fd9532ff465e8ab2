"""`serve.py SERVICE=PORT ...` serves OpenStack's WSGI applications on loopback, in threads, until SIGTERM.

Each service needs a process of its own, except Placement, which has a separate configuration.
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
#: Keystone's middleware stores the request's token in itself. With two requests at a time, one would get the roles
#: of the other.
ONE_AT_A_TIME = {"keystone"}


def serve(applications):
    """Serve applications, as (service, port, application), until SIGTERM."""
    for service, port, application in applications:
        threads = 1 if service in ONE_AT_A_TIME else THREADS
        server = Server(("127.0.0.1", port), application, numthreads=threads, request_queue_size=128, timeout=120)
        server.keep_alive_conn_limit = 100  # with 10, more clients keep losing their connections
        server.prepare()
        Thread(target=server.serve, daemon=True).start()
    stopped = Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopped.set())
    stopped.wait()
    os._exit(0)  # some threads of the services never end


def main():
    ports = dict(argument.split("=") for argument in sys.argv[1:])
    applications = []
    for service, port in ports.items():
        sys.argv = [service]  # the services would parse our arguments
        applications.append((service, int(port), import_module(APPLICATIONS[service]).application))
        if service == "neutron":
            # Otherwise the first requests do it in parallel, and some find no policy that allows them anything.
            import_module("neutron.policy").init()
    serve(applications)


if __name__ == "__main__":
    main()
