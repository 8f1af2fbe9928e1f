"""The clock: the database's own, which decides who may work, and instants as both databases keep them.

An instant is kept as whole milliseconds since 1970: both databases compare and add it alike, and no driver can lose
its zone. Times that decide who may work (leases, due) are always the database's. A process remembers what that clock
said when, by its own monotonic time, which nobody can set: so it knows when it was put ahead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator

NOTICED_AT_ONCE = timedelta(seconds=30)  # clocks are put right by less all the time


@dataclass(frozen=True, slots=True)
class Moment:
    """What the database's clock said, and how much time had passed here by then, in seconds."""

    now: datetime
    passed_s: float


class Pace:
    """What one process remembers of the database's clock."""

    def __init__(self, passed_s: Callable[[], float] = monotonic) -> None:
        self._passed_s = passed_s
        self._last: Moment | None = None

    def read(self, now: datetime) -> Moment:
        """Give the present moment; `now`: as the database has just said."""
        return Moment(now, self._passed_s())

    def ahead(self, moment: Moment) -> timedelta:
        """Give by how much the clock was put ahead since the moment noted last; zero for little, and at first."""
        if self._last is None:
            return timedelta(0)
        passed = timedelta(seconds=moment.passed_s - self._last.passed_s)
        jump = moment.now - self._last.now - passed
        return jump if jump >= NOTICED_AT_ONCE else timedelta(0)

    def note(self, moment: Moment) -> None:
        """Remember a moment, once what it called for is done."""
        self._last = moment


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant, kept as milliseconds since 1970."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> int | None:  # noqa: ARG002
        """Refuse a naive time: it would mean another moment on another machine."""
        return None if value is None else millis(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Give the aware instant."""
        return None if value is None else _EPOCH + timedelta(milliseconds=value)


class Duration(TypeDecorator[timedelta]):
    """A length of time, told to the database as milliseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> int | None:  # noqa: ARG002
        """Give its whole milliseconds."""
        return None if value is None else value // timedelta(milliseconds=1)


def millis(value: datetime) -> int:
    """Give milliseconds since 1970 of an aware instant."""
    return (value - _EPOCH) // timedelta(milliseconds=1)


def instant(seconds: float) -> datetime:
    """Give the instant so many seconds after 1970."""
    return _EPOCH + timedelta(seconds=seconds)


class db_now(sa.sql.functions.FunctionElement[datetime]):  # noqa: N801 - reads like SQL where it is used
    """The database's clock, at this statement."""

    type = Instant()
    inherit_cache = True


@compiles(db_now, "sqlite")
def _sqlite_now(*_: Any, **__: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


@compiles(db_now, "postgresql")
def _postgresql_now(*_: Any, **__: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


def after(span: timedelta | str) -> sa.ColumnElement[Any]:
    """Give the database's clock plus a span; or plus the one that a statement made once is told by this name."""
    told = sa.bindparam(span, type_=Duration) if isinstance(span, str) else sa.literal(span, Duration)
    return sa.type_coerce(db_now(), sa.BigInteger) + told


# What a column of instants says it is (`info`), for a clock that jumps and for tests that move time:
#   deadline  something is due or over then, or was read up to it: one too far ahead hides what there is
#   lease     somebody has a right until then, for `length` at most
#   stamp     something happened then
DEADLINE, STAMP = {"time": "deadline"}, {"time": "stamp"}


def lease(length: timedelta) -> dict[str, Any]:
    """Give what a column says that ends a lease of this length."""
    return {"time": "lease", "length": length}
