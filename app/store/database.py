"""One database, SQLite or PostgreSQL, behind the same statements: short transactions and honest failures.

`transact` runs one unit of work in one transaction, committed at its end; a deadlock or a busy database is tried again
whole. No transaction is ever open across a vendor call. SQLite writers begin IMMEDIATE, because a deferred
transaction that turns into a writer ignores the busy timeout; those of one process come one after the other, because
its busy timeout knows no order, and whoever waits in it holds a connection. Engine, driver and dialect are imported of
the kind that the address names (`postgres.py`, `sqlite.py`): those of the other take megabytes for nothing.
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool

from app.database_url import is_postgres, read_postgres
from app.errors import SchemaBehind, StoreUnavailable, ValueRefused
from app.store.audit_chain import NO_KEYS, AuditKeys
from app.store.clock import Pace
from app.timings import REAL, Timings

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
Insert: TypeAlias = "sqlite.Insert | postgresql.Insert"

BUSY_TIMEOUT_S = 5.0
_TRIES = 4
_LONGEST_IDENTITY = 512
# how a statement is in no transaction of ours; SQLite's driver begins none, and telling it so takes three calls of it
AUTOCOMMIT, ALONE = {"isolation_level": "AUTOCOMMIT"}, {"stands_alone": True}
NOT_DURABLE = {"is_not_durable": True}
# deadlock, serialization failure, admin shutdown, and connections that went away under us
_PASSING_SQLSTATES = frozenset({"40P01", "40001", "57P01", "57P02", "57P03"})
# the database or its driver says no, no connection is to be had in time, or the one we have is gone
_REFUSALS = (DBAPIError, PoolTimeoutError, DisconnectionError, OSError, TimeoutError, UnicodeError, OverflowError)
# of SQLSTATEs: data exceptions, integrity constraints, limits of size, a row that is damaged
_DATA_CLASSES = ("22", "23", "54", "XX001")
_UNDEFINED = frozenset({"42P01", "42703"})  # a table, a column; and how SQLite says that
_UNDEFINED_TEXTS = ("no such table", "no such column", "has no column")
_NO_TEXT = "Could not decode to UTF-8"  # as SQLite's driver says of a column; no server takes such a text
# of a process: kept open; and at most, for its passes, its jobs and whoever looks, none of whom holds one for long
_KEPT_OPEN, MOST_OPEN = 5, 20


class Database:
    """Where everything is remembered. Open it with `opened`.

    address     of PostgreSQL; None where the embedded database is used
    audit_keys  what chains the rows of the audit
    ca_bundle   further roots by which a PostgreSQL server may prove itself
    identity    whose installation opens it (`fence.py`)
    """

    def __init__(
        self,
        url: str,
        timings: Timings = REAL,
        audit_keys: AuditKeys = NO_KEYS,
        ca_bundle: Path | None = None,
        identity: str = "",
    ) -> None:
        self.address = read_postgres(url, ca_bundle) if is_postgres(url) else None
        self.timings, self.audit_keys, self.identity = timings, audit_keys, identity[:_LONGEST_IDENTITY]
        self.opened_at = datetime.now(UTC)
        pool = {"pool_size": _KEPT_OPEN, "max_overflow": MOST_OPEN - _KEPT_OPEN, "pool_timeout": timings.pool_s}
        if self.address is not None:
            from app.store import postgres

            self.url, self.engine = postgres.url_of(self.address), postgres.engine(self.address, pool)
        else:
            from app.store import sqlite

            self.url = sa.make_url(url)
            self.engine = sqlite.engine(self.url, pool)
        self.pace = Pace()
        self._running: set[asyncio.Future[Any]] = set()
        self._writing = asyncio.Lock()

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded database is used."""
        return self.address is None

    @property
    def path(self) -> Path:
        """The SQLite file."""
        assert self.url.database is not None
        return Path(self.url.database)

    async def transact(self, work: Callable[[AsyncConnection], Awaitable[T]], *, is_durable: bool = True) -> T:
        """Run a unit of work in one committed transaction, again from its start when the database was only busy.

        Whoever waits may be cancelled, the transaction not: cut off between two statements it would keep its locks.

        is_durable  False: a power cut may undo it, as if it had never been, until a later one is durable; SQLite does
                    not wait for the disk then
        Raises  StoreUnavailable when the database cannot be reached or written; ValueRefused when that is the fault of
                what was to be written, or of what is to be read
        """
        task = asyncio.ensure_future(self._transacted(work, is_durable=is_durable))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return await asyncio.shield(task)

    async def _transacted(self, work: Callable[[AsyncConnection], Awaitable[T]], *, is_durable: bool) -> T:
        engine = self.engine if is_durable or not self.is_sqlite else self.engine.execution_options(**NOT_DURABLE)

        async def attempt() -> T:
            async with self._alone(), engine.begin() as connection:
                return await work(connection)

        return await _tried(attempt)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Wait until nobody else of this process writes, where the database takes one writer at a time."""
        if not self.is_sqlite:
            yield
            return
        async with asyncio.timeout(BUSY_TIMEOUT_S if self._writing.locked() else None):
            await self._writing.acquire()
        try:
            yield
        finally:
            self._writing.release()

    async def read(self, statement: sa.Executable, parameters: Any = None) -> list[sa.Row[Any]]:
        """Give the rows of one statement, in no transaction of ours.

        Raises  StoreUnavailable when the database cannot be reached; ValueRefused when it does not take a parameter
        """

        async def attempt() -> list[sa.Row[Any]]:
            async with self.engine.connect() as connection:
                if not self._must_pin:
                    await connection.execution_options(**(ALONE if self.is_sqlite else AUTOCOMMIT))
                return list((await connection.execute(statement, parameters)).all())

        return await _tried(attempt)

    @property
    def _must_pin(self) -> bool:
        """Whether only a transaction keeps the steps of one statement together, as behind a pooler."""
        return self.address is not None and self.address.is_pooled

    @asynccontextmanager
    async def patient(self, lock_timeout_s: float) -> AsyncIterator[AsyncConnection]:
        """Give a connection of its own to PostgreSQL, whose statements may take as long as they need.

        lock_timeout_s  how long one in a transaction waits for a lock; whoever comes after it waits as long
        Raises          StoreUnavailable when the database cannot be reached, or refuses what is done with it
        """
        from app.store import postgres

        assert self.address is not None
        options = postgres.engine_options(self.address)
        if not self.address.is_pooled:  # which passes on few settings; those below hold in transactions alone
            told = options["connect_args"].get("server_settings", {})
            options["connect_args"]["server_settings"] = told | {"statement_timeout": "0"}
        engine = create_async_engine("postgresql+asyncpg://", **options, poolclass=NullPool)

        @sa.event.listens_for(engine.sync_engine, "begin")
        def begin(connection: sa.Connection) -> None:
            if connection.get_isolation_level() != AUTOCOMMIT["isolation_level"]:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(lock_timeout_s * 1000)}")
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")

        try:
            async with engine.connect() as connection:
                yield connection
        except (DBAPIError, *postgres.REFUSALS, OSError) as error:
            raise StoreUnavailable(_said(error)) from error
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def opened(self) -> Any:
        """Give the database, and let its connections go at the end."""
        try:
            yield self
        finally:
            await asyncio.gather(*self._running, return_exceptions=True)
            await self.engine.dispose()


def insert_into(table: sa.Table, dialect: sa.Dialect) -> Insert:
    """Give an insert that can also say what becomes of a row that is there already: each database has its own."""
    if dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


class DialectInsert:
    """Such an insert, made once for a dialect: `complete` says what becomes of a row that is there already."""

    def __init__(self, table: sa.Table, complete: Callable[[Insert], sa.Executable]) -> None:
        self._table, self._complete = table, complete
        self._made: dict[str, sa.Executable] = {}

    def on(self, connection: AsyncConnection) -> sa.Executable:
        """Give the statement for this connection's database."""
        dialect = connection.dialect
        if dialect.name not in self._made:
            self._made[dialect.name] = self._complete(insert_into(self._table, dialect))
        return self._made[dialect.name]


def among(name: str) -> sa.BindParameter[Any]:
    """Give the values, however many, that a statement made once is told by this name, for `in_`."""
    return Among(name, expanding=True)


class _JsonArray(sa.TypeDecorator[Any]):
    """Values, told to the database as a JSON array."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str:  # noqa: ARG002
        """Give the array."""
        return json.dumps(list(value), ensure_ascii=False)  # text that no encoding can carry fails at the driver


class Among(sa.BindParameter[Any]):
    """Values, however many, for `in_`; on SQLite the statement is the same however many they are."""

    inherit_cache = True


@compiles(Among, "sqlite")
def _among(element: Any, compiler: Any, **_: Any) -> str:
    told = compiler.process(sa.bindparam(element.key, type_=_JsonArray))
    return f"(SELECT value FROM json_each({told}))"  # noqa: S608 - the place of a parameter


class _json_rows(sa.sql.functions.FunctionElement[Any]):  # noqa: N801 - reads like SQL where it is used
    """The elements of a JSON array, one row each."""

    name = "json_rows"
    inherit_cache = True


class _json_text(sa.sql.functions.FunctionElement[str]):  # noqa: N801
    """One key of a JSON object, as text."""

    type = sa.String()
    inherit_cache = True


class _json_document(sa.sql.functions.FunctionElement[Any]):  # noqa: N801
    """One key of a JSON object whose text is a JSON document itself, as a column of documents takes it."""

    type = sa.JSON()
    inherit_cache = True


@compiles(_json_rows, "sqlite")
def _sqlite_rows(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_json_rows, "postgresql")
def _postgresql_rows(element: Any, compiler: Any, **options: Any) -> str:
    return f"jsonb_array_elements(CAST({compiler.process(element.clauses, **options)} AS jsonb))"


@compiles(_json_text, "sqlite")
@compiles(_json_document, "sqlite")
def _sqlite_text(element: Any, compiler: Any, **options: Any) -> str:
    value, key = (compiler.process(clause, **options) for clause in element.clauses)
    return f"json_extract({value}, '$.' || {key})"


@compiles(_json_text, "postgresql")
def _postgresql_text(element: Any, compiler: Any, **options: Any) -> str:
    value, key = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({value} ->> {key})"


@compiles(_json_document, "postgresql")
def _postgresql_document(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST({_postgresql_text(element, compiler, **options)} AS JSON)"


class JsonRows:
    """Rows, however many, that a statement made once is told by a name as one JSON array (`json_of`).

    So a batch is one call into the driver: each call hands Python's lock to others and has to win it back.
    """

    def __init__(self, name: str = "p_rows") -> None:
        self.row = _json_rows(sa.bindparam(name, type_=sa.Text)).table_valued("value", name="v")

    def text(self, key: str) -> sa.ColumnElement[Any]:
        """Give what a row says by a key, as text."""
        return _json_text(self.row.c.value, sa.literal_column(f"'{key}'"))

    def texts(self, *keys: str) -> list[sa.ColumnElement[Any]]:
        """Give what a row says by these keys, as text."""
        return [self.text(key) for key in keys]

    def number(self, key: str) -> sa.ColumnElement[int]:
        """Give what a row says by a key, as a whole number."""
        return sa.cast(self.text(key), sa.BigInteger)

    def document(self, key: str) -> sa.ColumnElement[Any]:
        """Give the JSON document that a row has as text under a key."""
        return _json_document(self.row.c.value, sa.literal_column(f"'{key}'"))


def json_of(value: Any) -> str:
    """Give JSON as the database is told it; not escaped, so that text no encoding can carry fails here and at once."""
    try:
        return to_json(value).decode()
    except ValueError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def _tried(attempt: Callable[[], Awaitable[T]]) -> T:
    """Give what comes of an attempt, made again while it meets what passes: a deadlock, a connection that is gone.

    Raises  StoreUnavailable, ValueRefused
    """
    for number in range(1, _TRIES + 1):
        try:
            return await attempt()
        except _REFUSALS as error:
            if number == _TRIES or not _passes(error):
                raise _translated(error) from error
        await asyncio.sleep(0.02 * number)
    raise AssertionError


def _passes(error: BaseException) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return getattr(cause, "sqlstate", None) in _PASSING_SQLSTATES


def _translated(error: BaseException) -> StoreUnavailable:
    """Give our error for a refusal: a value that is not taken or given back is another thing than a database away."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    is_from_sqlite = isinstance(cause, sqlite3.OperationalError)
    if getattr(cause, "sqlstate", None) in _UNDEFINED or (
        is_from_sqlite and any(text in str(cause) for text in _UNDEFINED_TEXTS)
    ):
        return SchemaBehind()
    is_a_value = (
        isinstance(error, DataError | IntegrityError | UnicodeError | OverflowError)
        or any(_state(one).startswith(_DATA_CLASSES) for one in (cause, getattr(cause, "__cause__", None)))
        or str(cause).startswith(_NO_TEXT)
    )
    return (ValueRefused if is_a_value else StoreUnavailable)(_said(error))


def _state(error: BaseException | None) -> str:
    """Give PostgreSQL's SQLSTATE of an error; its driver gives one to what it did not even send, too."""
    return getattr(error, "sqlstate", None) or ""


def _said(error: BaseException) -> str:
    """Give what kind of failure it was: drivers put values into their messages, so those stay out."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return f"the database refused: {type(cause).__name__}"
