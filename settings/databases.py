"""The databases that Portcullis works with: SQLite on one machine, PostgreSQL beyond it."""

import warnings
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environ import Env

#: Web, worker and scheduler write to one file. With WAL, readers don't block the writer. Writers wait for their
#: turn, and take the lock at the start of a transaction, because SQLite may refuse it later.
SQLITE = {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": "PRAGMA journal_mode=WAL;"}
POSTGRESQL = {
    # Give up after some seconds if the host is gone and doesn't answer.
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,  # milliseconds
    # No JIT, because statements here take milliseconds, and compiling one takes a hundred. The cost of random
    # pages is that of SSDs, so PostgreSQL reads a page by an index instead of scanning a million rows. The
    # statements of `planned_cursor` suit a generic plan, so PostgreSQL needn't look for better ones.
    "options": "-c jit=off -c random_page_cost=1.1 -c plan_cache_mode=force_generic_plan",
}


def databases(env: Env, default: str) -> dict[str, dict[str, Any]]:
    """`DATABASES` for `DATABASE_URL`. Raises `ImproperlyConfigured` for a URL that is none."""
    with warnings.catch_warnings(action="ignore"):  # an invalid URL is an error below
        database: dict[str, Any] = env.db_url("DATABASE_URL", default=default)
    if "ENGINE" not in database:
        raise ImproperlyConfigured("DATABASE_URL must be like postgres://user:password@host:5432/name")
    if database["ENGINE"] == "django.db.backends.sqlite3":
        return {
            "default": database
            | {
                "ENGINE": "inventory.db.sqlite",  # Django's own, whose migrations keep triggers
                "OPTIONS": database.get("OPTIONS", {}) | SQLITE,
                "TEST": {"NAME": ":memory:"},  # pytest-django would test other engines than Django's in files
            }
        }
    database |= {
        "ENGINE": "inventory.db.postgresql",  # Django's own with less overhead for each request
        # No cursor outlives its transaction, so PgBouncer may switch connections between transactions.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": POSTGRESQL | database.get("OPTIONS", {}),
    }
    return {"default": database}
