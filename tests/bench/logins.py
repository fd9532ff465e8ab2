"""`python -m tests.bench.logins`: a request with a token beside 16 clients with wrong passwords, on `standalone`.

Prints how many times as long it takes as alone: while passwords are hashed without end, which takes an attacker
with many addresses, and once the address of the attackers is locked out. Fails if it is more than 5 times.
"""

from __future__ import annotations

import base64
import http.client
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from tests.e2e.service import PASSWORD, USER, Service, clean_environment

CLIENTS, REQUESTS, BOUND = 16, 300, 5.0
UNLIMITED = "1000000000"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as folder:
        hashing = ratio(Path(folder) / "hashing", LOGIN_FAILURES=UNLIMITED, LOGIN_ADDRESS_FAILURES=UNLIMITED)
        locked = ratio(Path(folder) / "locked", LOGIN_ADDRESS_FAILURES="1")
    print(f"with a token, beside {CLIENTS} clients with wrong passwords: {hashing:.1f} times as long")  # noqa: T201
    print(f"the same once they are locked out: {locked:.1f} times as long")  # noqa: T201
    if max(hashing, locked) > BOUND:
        sys.exit(f"more than {BOUND:g} times")


def ratio(folder: Path, **environment: str) -> float:
    folder.mkdir()
    login = {"DJANGO_SUPERUSER_USERNAME": USER, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    service = Service(folder, clean_environment(PORTCULLIS_VAR=str(folder), **login, **environment))
    try:
        service.start()
        token = service.get("/api/auth")["auth_token"]
        seconds(service.url, token)  # everything is loaded
        alone = seconds(service.url, token)
        with wrong_passwords(service.url):
            beside = seconds(service.url, token)
        print(f"{alone * 1000:.1f} ms alone, {beside * 1000:.1f} ms beside them")  # noqa: T201
        return beside / alone
    finally:
        service.end()


def seconds(url: str, token: str) -> float:
    """The median time of a request with a token, each on a connection of its own: one meets one web process."""
    taken = []
    for _ in range(REQUESTS):
        with closing(connection_to(url)) as connection:
            began = time.perf_counter()
            connection.request("GET", "/api/users", headers={"X-Auth-Token": token})
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
            taken.append(time.perf_counter() - began)
    return median(taken)


@contextmanager
def wrong_passwords(url: str) -> Iterator[None]:
    """A process of clients that try one password after another, each of another user, while the block runs."""
    context = multiprocessing.get_context("spawn")
    end, begun = context.Event(), context.Event()
    clients = context.Process(target=try_passwords, args=(url, begun, end))
    clients.start()
    try:
        assert begun.wait(30)
        yield
    finally:
        end.set()
        clients.join(30)
    assert clients.exitcode == 0


def try_passwords(url: str, begun: Event, end: Event) -> None:
    number = count()

    def client() -> None:
        with closing(connection_to(url)) as connection:
            while not end.is_set():
                login = base64.b64encode(f"user {next(number)}:wrong".encode()).decode()
                connection.request("GET", "/api", headers={"Authorization": f"Basic {login}"})
                response = connection.getresponse()
                response.read()
                assert response.status in {401, 429}, response.status
                begun.set()

    with ThreadPoolExecutor(CLIENTS) as pool:
        for client_ended in [pool.submit(client) for _ in range(CLIENTS)]:
            client_ended.result()


def connection_to(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)


if __name__ == "__main__":
    main()
