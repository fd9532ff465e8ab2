"""What a full refresh is compared with: PostgreSQL's COPY of the same rows into the same tables, and no more."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg import sql

from tests.bench.clock import Clock, Taken

#: Each after those that it refers to.
TABLES = (
    "inventory_cloudtenant",
    "inventory_cloudnetwork",
    "inventory_vm",
    "inventory_networkport",
    "secgroups_securitygroup",
    "secgroups_firewallrule",
    "secgroups_membership",
)


class Tables:
    """The tables of the inventory, with all their indexes and constraints, in a database of one's own."""

    def __init__(self, url: str) -> None:
        self._database = psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        self._database.close()

    def save(self, folder: Path) -> int:
        """Write the rows of each into a file of its name; returns how many there are in all."""
        rows = 0
        for table in TABLES:
            with (folder / table).open("wb") as file, self._database.cursor() as cursor:
                with cursor.copy(_statement("COPY {} TO STDOUT", table)) as copy:
                    file.writelines(copy)
                rows += cursor.rowcount
        return rows

    def load(self, folder: Path) -> Taken:
        """Bring the rows of these files in, all or nothing."""
        clock = Clock(self._database.info.backend_pid)
        with self._database.transaction(), self._database.cursor() as cursor:
            # As in a first refresh, rows leave no events of their own.
            cursor.execute("SELECT set_config('portcullis.cause', %s, true)", ['{"is_recorded": false}'])
            for table in TABLES:
                with (
                    (folder / table).open("rb") as file,
                    cursor.copy(_statement("COPY {} FROM STDIN", table)) as copy,
                ):
                    while block := file.read(1 << 18):
                        copy.write(block)
        return clock.taken()

    def empty(self) -> None:
        tables = sql.SQL(", ").join(map(sql.Identifier, TABLES))
        self._database.execute(sql.SQL("TRUNCATE {} CASCADE").format(tables))


def _statement(statement: str, table: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(table))
