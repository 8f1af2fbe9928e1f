"""The databases of a history: SQLite, driven from this thread by the history's clock, nothing waited for.

The service's own statements, engine and connections; only the driver's thread is gone, and with it SQLAlchemy's way to
wait for one. A statement is done when it was asked for, so a transaction is whole before anybody else goes on, and no
two of them can race for an answer.
"""

import sqlite3
from contextlib import asynccontextmanager, closing

from sqlalchemy import event

from app.store.clock import Pace
from app.store.database import Database
from app.store.inbox.sqlite import SqliteInbox
from app.store.tables import metadata
from app.timings import Timings

_TIMINGS = Timings(call_s=-1e9)  # however long a history takes to be told, no write finds too little of its lease left


class _Connection(sqlite3.Connection):
    """A connection as SQLAlchemy's dialect for a driver with a thread wants it."""

    terminate = sqlite3.Connection.close


class _Here:
    """A connection of SQLAlchemy's, as the service knows one."""

    def __init__(self, connection):
        self._connection, self.dialect = connection, connection.dialect

    async def execute(self, *asked):
        return self._connection.execute(*asked)

    async def scalar(self, *asked):
        return self._connection.scalar(*asked)

    async def scalars(self, *asked):
        return self._connection.scalars(*asked)

    async def run_sync(self, work):
        return work(self._connection)

    async def execution_options(self, **options):
        if not options.keys() <= self._connection.get_execution_options().keys():
            self._connection.execution_options(**options)
        return self


class _AtOnce:
    """An engine, as the service knows one; it keeps open one connection for transactions, and one for single reads."""

    def __init__(self, engine):
        self._waiting, self.sync_engine, self.dialect = engine, engine.sync_engine, engine.dialect
        self._transacting = self._reading = None

    def execution_options(self, **_):
        return self

    @asynccontextmanager
    async def begin(self):
        if self._transacting is None:
            await self._connects()
        with self._transacting.begin():
            yield _Here(self._transacting)

    @asynccontextmanager
    async def connect(self):
        if self._reading is None:
            await self._connects()
        yield _Here(self._reading)

    async def _connects(self):
        """Connect for the first time as SQLAlchemy does: it takes a lock then, which only its own way can wait for."""
        async with self._waiting.connect():
            pass
        self._transacting, self._reading = self.sync_engine.connect(), self.sync_engine.connect()

    async def dispose(self):
        self.closes()

    def closes(self):
        for connection in (self._transacting, self._reading):
            if connection is not None:
                connection.close()
        self._transacting = self._reading = None
        self.sync_engine.dispose()


def at_once(database, clock, connection=None):
    """Have a SQLite database driven from this thread, by this clock; over one connection, where it is given."""
    engine, database.pace = database.engine.sync_engine, pace_of(clock)
    database.engine = _AtOnce(database.engine)

    @event.listens_for(engine, "do_connect")
    def connect(_dialect, _record, arguments, _parameters):
        return connection or opened(arguments[0], clock)

    return database


def pace_of(clock):
    return Pace(lambda: clock.ms / 1000)


def opened(path, clock):
    """Give a connection that goes by this clock: its `julianday` is SQLite's way to another one."""
    found = sqlite3.connect(path, check_same_thread=False, factory=_Connection, cached_statements=1000)
    found.isolation_level = None
    found.create_function("julianday", 1, clock.julian)
    return found


class Remembering(Database):
    """A database that does not read again while nothing was written and no time passed."""

    def __init__(self, url, identity, moment):
        super().__init__(url, _TIMINGS, identity=identity)
        self._moment, self._known = moment, (None, {})

    async def read(self, statement, parameters=None):
        moment, asked = self._moment(), (statement, str(parameters))
        if moment != self._known[0]:
            self._known = moment, {}
        known = self._known[1]
        if asked not in known:
            known[asked] = await super().read(statement, parameters)
        return [*known[asked]]


class _Inbox(SqliteInbox):
    """The inbox, its group written by who asks, over the history's connection, which nobody can delete under it."""

    def __init__(self, connection):
        super().__init__(None, lambda _: None)
        self._connection = connection

    async def keep(self, delivery):
        done = self._room.enter(delivery)
        await self._settle(self._room.group())
        await done

    async def _write(self):
        """Be no task."""

    async def _in_thread(self, write):
        write()

    def _must_be_there(self):
        pass


class Memory:
    """A migrated database in memory, as it was at first whenever that is asked for; `lends` gives ways to it."""

    def __init__(self, settings, migrated, clock):
        self._settings, self._clock, self._databases, self._lent = settings, clock, [], 0
        self.connection = opened(":memory:", clock)
        with closing(sqlite3.connect(migrated)) as source:
            source.backup(self.connection)
        self._first = [(table, self._rows(table)) for table in metadata.sorted_tables]
        self._engine = at_once(Database(settings.database_url), clock, self.connection).engine

    def _rows(self, table):
        return self.connection.execute(f'SELECT * FROM "{table.name}"').fetchall()

    def _moment(self):
        return self._clock.epoch_ms(), self.connection.total_changes

    def lends(self):
        """Give a database that nobody else of this history uses; what one has compiled, all know."""
        if self._lent == len(self._databases):
            lent = Remembering(self._settings.database_url, self._settings.identity, self._moment)
            lent.engine, lent.pace = self._engine, pace_of(self._clock)
            self._databases.append(lent)
        self._lent += 1
        return self._databases[self._lent - 1]

    def inbox(self):
        """Give the inbox."""
        return _Inbox(self.connection)

    def starts_anew(self):
        """Be as at first: emptied and not replaced, because so the driver knows its statements still."""
        self._lent = 0
        for table, _ in reversed(self._first):
            self.connection.execute(f'DELETE FROM "{table.name}"')
        for table, rows in self._first:
            places = ", ".join("?" * len(table.c))
            self.connection.executemany(f'INSERT INTO "{table.name}" VALUES ({places})', rows)

    def ends(self):
        self._engine.closes()
        self.connection.close()
