"""The database of one history in ten: PostgreSQL, its clock the history's; whoever asks stands still until it answers.

The service's own engine, driver and statements, in a thread of its own. So, as on SQLite (`database.py`), a transaction
is whole before anybody else goes on, and the same seed tells the same history: each on a new database, because of rows
that were there once PostgreSQL might give others in another order.
"""

import asyncio
import os
import threading
from contextlib import AsyncExitStack, asynccontextmanager

from app.store.database import Database
from app.store.inbox.postgres import PostgresInbox
from app.store.postgres import connect
from tests.postgresql import say
from tests.simulate.database import Remembering, pace_of

# a sequence is no part of a transaction: every connection sees at once what it was set to
_CLOCK = """
CREATE SCHEMA history;
CREATE SEQUENCE history.ms;
CREATE FUNCTION history.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
$$SELECT timestamptz 'epoch' + last_value * interval '1 millisecond' FROM history.ms$$
"""
_GOES_BY_IT = "search_path = history, pg_catalog, public"


class _Thread:
    """A thread with a loop of its own; who has it run something waits, and everybody else in their own thread too."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgresql", daemon=True)
        self._thread.start()

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def ends(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _There:
    """A connection of SQLAlchemy's, as the service knows one."""

    def __init__(self, connection, run):
        self._connection, self._run, self.dialect = connection, run, connection.dialect

    async def execute(self, *asked):
        return self._run(self._connection.execute(*asked))

    async def scalar(self, *asked):
        return self._run(self._connection.scalar(*asked))

    async def scalars(self, *asked):
        return self._run(self._connection.scalars(*asked))

    async def exec_driver_sql(self, *asked):
        return self._run(self._connection.exec_driver_sql(*asked))

    async def run_sync(self, work):
        return self._run(self._connection.run_sync(work))

    async def execution_options(self, **options):
        await_options = self._connection.execution_options(**options)
        self._connection = self._run(await_options)
        return self


class _Waiting:
    """An engine, as the service knows one."""

    def __init__(self, engine, run, begins):
        self._engine, self._run, self._begins = engine, run, begins
        self.sync_engine, self.dialect = engine.sync_engine, engine.dialect

    def begin(self):
        return self._held(self._engine.begin())

    def connect(self):
        return self._held(self._engine.connect())

    @asynccontextmanager
    async def _held(self, connecting):
        self._begins()
        stack = AsyncExitStack()
        connection = self._run(stack.enter_async_context(connecting))
        try:
            yield _There(connection, self._run)
        except BaseException as error:
            self._run(stack.__aexit__(type(error), error, error.__traceback__))
            raise
        else:
            self._run(stack.aclose())

    async def dispose(self):
        self._run(self._engine.dispose())


class _Inbox(PostgresInbox):
    """The inbox, its group written by who asks."""

    def __init__(self, address, run, begins):
        super().__init__(address, lambda _: None)
        self._run, self._begins = run, begins

    async def keep(self, delivery):
        done = self._room.enter(delivery)
        self._begins()
        await self._settle(self._room.group())
        await done

    async def _failure(self, deliveries, *, keeps):
        return self._run(super()._failure(deliveries, keeps=keeps))

    async def _write(self):
        """Be no task."""

    async def close(self):
        await super().close()
        if self._connection is not None:
            self._run(self._connection.close())


class Served:
    """A migrated database on a server, new whenever that is asked for; `lends` gives ways to it, as `Memory` does."""

    def __init__(self, server, identity, clock):
        self._identity, self._clock, self._changes = identity, clock, 0
        self._name, self._server = f"history_{os.getpid()}", server
        self._thread, self._database = _Thread(), Database(server + self._name)
        self._engine = _Waiting(self._database.engine, self._thread.run, self._begins)
        self._databases, self._lent, self._control, self._told_ms = [], 0, None, None

    def _begins(self):
        """Have the server's clock say what the history's does, before anybody asks it."""
        self._changes += 1
        if self._told_ms != (now := self._clock.epoch_ms()):
            self._thread.run(self._control.execute("SELECT setval('history.ms', $1)", now))
            self._told_ms = now

    def _moment(self):
        return self._clock.epoch_ms(), self._changes

    def lends(self):
        """Give a database that nobody else of this history uses; what one has compiled, all know."""
        if self._lent == len(self._databases):
            lent = Remembering(self._server + self._name, self._identity, self._moment)
            lent.engine, lent.pace = self._engine, pace_of(self._clock)
            self._databases.append(lent)
        self._lent += 1
        return self._databases[self._lent - 1]

    def inbox(self):
        """Give the inbox."""
        return _Inbox(self._database.address, self._thread.run, self._begins)

    def starts_anew(self):
        """Be as at first."""
        self._lent = 0
        self._thread.run(self._made_anew())

    async def _made_anew(self):
        await self._let_go()
        await say(
            self._server + "postgres",
            f"DROP DATABASE IF EXISTS {self._name}",
            f"CREATE DATABASE {self._name} TEMPLATE migrated",
            f"ALTER DATABASE {self._name} SET {_GOES_BY_IT}",
        )
        self._control, self._told_ms = await connect(self._database.address), None
        await self._control.execute(_CLOCK)

    async def _let_go(self):
        await self._database.engine.dispose()
        if self._control is not None:
            await self._control.close()

    def ends(self):
        self._thread.run(self._let_go())
        self._thread.ends()
