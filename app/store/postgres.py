"""PostgreSQL's own: its engine, and how connections are made, the engine's and the inbox's, from the address alone.

Behind a pooler in transaction mode each transaction may run on another server connection. A statement is prepared and
run in two steps, so there every statement stands in a transaction, is prepared without a name, and is not kept.
"""

from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.database_url import PostgresAddress

REFUSALS = (asyncpg.PostgresError, asyncpg.InterfaceError)
_COMMAND_S = 30.0  # a server that hangs is away
_ONLY_READS = "25006"  # a server that has lost its part to another: its connections must not be used on


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection to a pooler in transaction mode; what it asks while it is made stands in transactions too."""

    async def set_type_codec(self, *arguments: Any, **options: Any) -> None:
        """See `asyncpg.Connection.set_type_codec`; it looks the type up at the server."""
        async with self.transaction():
            await super().set_type_codec(*arguments, **options)


def connect_arguments(address: PostgresAddress, command_timeout_s: float | None = None) -> dict[str, Any]:
    """Give what `asyncpg.connect` takes; see `PostgresAddress.arguments`."""
    given = address.arguments(command_timeout_s)
    return given | ({"connection_class": PooledConnection} if address.is_pooled else {})


def engine_options(address: PostgresAddress, command_timeout_s: float | None = None) -> dict[str, Any]:
    """Give what an engine is made with beside its pool; the engine's own address stays empty.

    command_timeout_s  how long one statement may take; None: as long as it needs, whatever the address says
    """
    arguments = connect_arguments(address, command_timeout_s)
    if command_timeout_s is None:
        arguments.pop("command_timeout", None)
    if "statement_cache_size" in arguments:
        arguments["prepared_statement_cache_size"] = arguments["statement_cache_size"]
    if address.is_pooled:
        arguments["prepared_statement_name_func"] = str  # which gives no name
    return {"connect_args": arguments, "hide_parameters": True}


def engine(address: PostgresAddress, pool: dict[str, Any]) -> AsyncEngine:
    """Give an engine of a server; `pool` says how many connections it has.

    No connection is tried before it is used, which costs four turns: one that is gone is met by the next try.
    """
    options = engine_options(address, _COMMAND_S)
    made = create_async_engine("postgresql+asyncpg://", **options, **pool)
    sa.event.listen(made.sync_engine, "handle_error", _leave_for_the_one_that_writes)
    return made


def _leave_for_the_one_that_writes(context: sa.engine.ExceptionContext) -> None:
    if getattr(context.original_exception, "sqlstate", None) == _ONLY_READS:
        context.is_disconnect = True


async def connect(address: PostgresAddress) -> asyncpg.Connection:
    """Give a connection of one's own on the raw driver."""
    return await asyncpg.connect(**connect_arguments(address))


def url_of(address: PostgresAddress) -> sa.URL:
    """Give the address in SQLAlchemy's form, which says the same when it is read again."""
    query: dict[str, str | tuple[str, ...]] = {
        name: value for name, value in address.query.items() if name not in ("host", "port")
    }
    (host, port), *more = address.hosts
    if more:
        query["host"] = tuple(f"[{name}]:{at}" if ":" in name else f"{name}:{at}" for name, at in address.hosts)
    elif host.startswith("/"):
        query |= {"host": host, "port": str(port)}
    else:
        return sa.URL.create("postgresql+asyncpg", address.user, address.password, host, port, address.database, query)
    return sa.URL.create("postgresql+asyncpg", address.user, address.password, None, None, address.database, query)
