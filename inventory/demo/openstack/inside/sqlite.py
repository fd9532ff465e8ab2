"""Lets several threads write to one SQLite file through oslo.db.

oslo.db begins each transaction as a reader. If two transactions read and then write, SQLite refuses one at once,
without the timeout, and with an error that services don't retry. So here, writing transactions take the lock when
they begin. If SQLite still refuses one, it raises the error that services retry.
"""

from oslo_db.exception import DBDeadlock
from oslo_db.sqlalchemy import enginefacade
from oslo_db.sqlalchemy.exc_filters import filters
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

WRITES = "portcullis_writes"


def _mark_writers():
    factory = enginefacade._TransactionFactory
    create = factory._create_session

    def create_marked(self, mode, bind=None):
        session = create(self, mode, bind)
        session.info[WRITES] = bind is None and mode is enginefacade._WRITER
        return session

    factory._create_session = create_marked


@event.listens_for(Session, "after_begin")
def take_turn(session, transaction, connection):
    if connection.dialect.name != "sqlite" or transaction.nested or not session.info.get(WRITES):
        return
    database = connection.connection.driver_connection
    database.execute("ROLLBACK")
    try:
        database.execute("BEGIN IMMEDIATE")
    except Exception as error:
        raise DBDeadlock(error) from error


@filters("sqlite", OperationalError, r".*is locked.*")
def refused(error, match, engine, disconnected):
    raise DBDeadlock(error)


_mark_writers()
