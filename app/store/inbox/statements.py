"""The inbox's three statements, written once in Core and run compiled on the raw drivers of both databases.

Deduplication: keep the deliveries whose key is not known; then, of those kept, their events; then make their records
due. A whole group travels as one JSON array per statement, so a commit costs five calls into the driver however large
the group: each call hands Python's lock to the requests and has to win it back.
"""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from ulid import ULID

from app.ports import Delivery
from app.store.clock import db_now
from app.store.database import insert_into
from app.store.tables import deliveries, events, links
from app.sync.model import Lane, Side


class _json_rows(sa.sql.functions.FunctionElement[Any]):  # noqa: N801 - reads like SQL where it is used
    """The elements of a JSON array, one row each."""

    name = "json_rows"
    inherit_cache = True


class _json_text(sa.sql.functions.FunctionElement[str]):  # noqa: N801
    """One key of a JSON object, as text."""

    type = sa.String()
    inherit_cache = True


@compiles(_json_rows, "sqlite")
def _sqlite_rows(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_json_rows, "postgresql")
def _postgresql_rows(element: Any, compiler: Any, **options: Any) -> str:
    return f"jsonb_array_elements(CAST({compiler.process(element.clauses, **options)} AS jsonb))"


@compiles(_json_text, "sqlite")
def _sqlite_text(element: Any, compiler: Any, **options: Any) -> str:
    value, key = (compiler.process(clause, **options) for clause in element.clauses)
    return f"json_extract({value}, '$.' || {key})"


@compiles(_json_text, "postgresql")
def _postgresql_text(element: Any, compiler: Any, **options: Any) -> str:
    value, key = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({value} ->> {key})"


def _given(row: Any, *names: str) -> list[sa.ColumnElement[Any]]:
    return [_json_text(row.c.value, sa.literal_column(f"'{name}'")) for name in names]


def statements(dialect: sa.Dialect) -> list[str]:
    """Give the texts of a commit's statements, in order; each takes one JSON array from `parameters`."""
    row = _json_rows(sa.bindparam("rows", type_=sa.Text)).table_valued("value", name="v")
    kept = sa.exists().where(deliveries.c.id == _given(row, "delivery_id")[0])
    names = ("id", "side", "event", "vendor_id", "delivery_key", "body", "outcome")
    keep = (
        insert_into(deliveries, dialect)
        .from_select([*names, "received_at"], sa.select(*_given(row, *names), db_now()).where(sa.true()))
        .on_conflict_do_nothing()
    )
    texts = ("delivery_id", "side", "kind", "record_id", "version", "request")
    position = sa.cast(_given(row, "position")[0], sa.Integer)
    note = insert_into(events, dialect).from_select(
        [*texts, "position"], sa.select(*_given(row, *texts), position).where(kept)
    )
    marks = [_mark_due(dialect, side, row, kept) for side in Side]
    return [str(statement.compile(dialect=dialect)) for statement in (keep, note, *marks)]


def _mark_due(dialect: sa.Dialect, side: Side, row: Any, kept: sa.ColumnElement[bool]) -> Any:
    """Give the statement that makes records due: a lone ref at first, else its link with a generation more.

    Each record once, in the order of its key, so that two writers lock in the same order.
    """
    record_id = links.c[f"{side}_id"]
    kind, ref, link_id, lane = _given(row, "kind", "record_id", "link_id", "lane")
    columns = (sa.func.min(link_id), kind, ref, sa.func.max(lane), db_now())  # of these lanes the last is most urgent
    due = sa.select(*columns).where(kept).group_by(kind, ref).order_by(kind, ref)
    names = [links.c.id, links.c.kind, record_id, links.c.lane, links.c.due_at]
    insert = insert_into(links, dialect).from_select(names, due)
    live, backfill = (sa.literal_column(f"'{one}'", sa.String) for one in (Lane.LIVE, Lane.BACKFILL))
    stays = sa.and_(links.c.due_at.is_not(None), insert.excluded.lane != live, links.c.lane != backfill)
    return insert.on_conflict_do_update(
        index_elements=[links.c.kind, record_id],
        set_={
            links.c.generation: links.c.generation + sa.literal_column("1"),
            links.c.due_at: sa.case((links.c.due_at <= db_now(), links.c.due_at), else_=db_now()),
            links.c.lane: sa.case((stays, links.c.lane), else_=insert.excluded.lane),
            links.c.attempts: sa.literal_column("0"),
        },
    )


def parameters(group: Sequence[Delivery]) -> list[str]:
    """Give the JSON array for each statement; empty text where there is nothing to do."""
    rows = [
        {
            "id": one.id,
            "side": one.side,
            "event": one.event,
            "vendor_id": one.vendor_id,
            "delivery_key": one.key,
            "body": one.body,
            "outcome": one.outcome,
        }
        for one in group
    ]
    seen = [
        {
            "delivery_id": one.id,
            "position": position,
            "side": event.side,
            "kind": event.kind,
            "record_id": event.record_id,
            "version": event.version,
            "request": event.request,
            "lane": event.lane,
            "link_id": str(ULID()),
        }
        for one in group
        for position, event in enumerate(one.events)
    ]
    by_side = [[event for event in seen if event["side"] == side and event["lane"]] for side in Side]
    # not escaped, so that text no encoding can carry fails here and not at every later read
    return [json.dumps(batch, ensure_ascii=False) if batch else "" for batch in (rows, seen, *by_side)]
