"""Installations of their own: a folder, a database, an admin account."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.e2e.service import PASSWORD, USER, Service, clean_environment


@pytest.fixture
def database() -> Iterator[dict[str, str]]:
    """A fresh database on the server of `DATABASE_URL`, if that is PostgreSQL; else the default, a file."""
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        yield {}
        return
    name = f"portcullis_e2e_{os.getpid()}_{uuid4().hex[:8]}"
    with psycopg.connect(make_conninfo(server, dbname="postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield {"DATABASE_URL": urlsplit(server)._replace(path=f"/{name}").geturl()}
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def service(tmp_path: Path, database: dict[str, str]) -> Iterator[Service]:
    environment = clean_environment(
        PORTCULLIS_VAR=str(tmp_path / "var"),
        DJANGO_SUPERUSER_USERNAME=USER,
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        CELERY_QUEUE=f"portcullis_e2e_{uuid4().hex}",
        **database,
    )
    service = Service(tmp_path, environment)
    yield service
    service.end()
