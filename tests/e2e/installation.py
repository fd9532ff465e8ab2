"""An installation of its own: a folder, a database, a queue, an admin account."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.e2e.service import PASSWORD, USER, Service, clean_environment


@contextmanager
def installation(folder: Path, **variables: str) -> Iterator[Service]:
    """A service that is not yet started; whatever of it runs at the end is ended."""
    with fresh_database() as database:
        environment = clean_environment(
            PORTCULLIS_VAR=str(folder / "var"),
            DJANGO_SUPERUSER_USERNAME=USER,
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
            CELERY_QUEUE=f"portcullis_e2e_{uuid4().hex}",
            **database,
            **variables,
        )
        service = Service(folder, environment)
        try:
            yield service
        finally:
            service.end()


@contextmanager
def fresh_database() -> Iterator[dict[str, str]]:
    """A fresh database on the server of `DATABASE_URL`, if that is PostgreSQL; else the default, a file."""
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        yield {}
        return
    name = f"portcullis_e2e_{os.getpid()}_{uuid4().hex[:8]}"
    with psycopg.connect(make_conninfo(server, dbname="postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield {"DATABASE_URL": urlsplit(server)._replace(path=f"/{name}").geturl()}
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
