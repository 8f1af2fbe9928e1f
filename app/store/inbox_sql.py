"""The inbox's statements, written once in Core and run compiled on the raw drivers of both databases.

Keep the delivery unless its key is known; then, only if it was kept, its events; then make its records due. Ids are
made before the commit, so the rows of a whole group go out in one batch per statement.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from ulid import ULID

from app.store.inbox import Delivery
from app.store.tables import db_now, deliveries, events, links
from app.sync.records import Lane, Side


def _insert(table: sa.Table, dialect: Any) -> Any:
    return (sqlite if dialect.name == "sqlite" else postgresql).insert(table)


def statements(dialect: Any) -> list[tuple[str, list[str]]]:
    """Give the three statements of a commit as text, with the order of their parameters."""

    def given(*columns: sa.Column[Any]) -> list[sa.BindParameter[Any]]:
        return [sa.bindparam(f"p_{column.name}", type_=column.type) for column in columns]

    kept = sa.exists().where(deliveries.c.id == sa.bindparam("p_delivery_id", type_=sa.String(26)))
    delivery_columns = [column for column in deliveries.columns if column.name != "received_at"]
    first = _insert(deliveries, dialect).from_select(
        [*delivery_columns, deliveries.c.received_at],
        sa.select(*given(*delivery_columns), db_now()).where(sa.true()),
    )
    event_columns = [column for column in events.columns if column.name != "finished_at"]
    second = _insert(events, dialect).from_select(event_columns, sa.select(*given(*event_columns)).where(kept))
    marks = [_mark_due(dialect, links.c[f"{side}_id"], given, kept) for side in Side]
    compiled = [s.compile(dialect=dialect) for s in (first.on_conflict_do_nothing(), second, *marks)]
    return [(str(statement), list(statement.positiontup or ())) for statement in compiled]


def _mark_due(dialect: Any, record_id: sa.Column[Any], given: Any, kept: sa.ColumnElement[bool]) -> Any:
    """Give the statement that makes a record due: a lone ref at first, else its link with a generation more."""
    own = [links.c.id, links.c.kind, record_id]
    fresh = {
        links.c.base: sa.literal_column("'{}'"),
        links.c.floor: sa.literal_column("''"),
        links.c.base_version: sa.literal_column("0"),
        links.c.attempts: sa.literal_column("0"),
        links.c.generation: sa.literal_column("1"),
        links.c.lane: sa.literal_column(f"'{Lane.LIVE}'"),
        links.c.due_at: db_now(),
    }
    insert = _insert(links, dialect).from_select([*own, *fresh], sa.select(*given(*own), *fresh.values()).where(kept))
    again = {column: fresh[column] for column in (links.c.attempts, links.c.lane, links.c.due_at)}
    return insert.on_conflict_do_update(
        index_elements=[links.c.kind, record_id],
        set_={links.c.generation: links.c.generation + sa.literal_column("1"), **again},
    )


def parameters(group: Sequence[Delivery]) -> list[list[dict[str, Any]]]:
    """Give the rows for each statement, sorted by key so that two writers lock in the same order."""
    rows = [
        {
            "p_id": d.id,
            "p_side": d.side.value,
            "p_event": d.event,
            "p_vendor_id": d.vendor_id,
            "p_delivery_key": d.key,
            "p_body": d.body,
            "p_outcome": d.outcome,
        }
        for d in group
    ]
    seen = [
        {
            "p_delivery_id": d.id,
            "p_position": position,
            "p_side": e.side.value,
            "p_kind": e.kind.value,
            "p_record_id": e.record_id,
            "p_version": e.version,
        }
        for d in group
        for position, e in enumerate(d.events)
    ]
    seen.sort(key=lambda event: (event["p_kind"], event["p_record_id"]))
    due = [
        [
            {
                "p_id": str(ULID()),
                "p_kind": event["p_kind"],
                f"p_{side}_id": event["p_record_id"],
                "p_delivery_id": event["p_delivery_id"],
            }
            for event in seen
            if event["p_side"] == side
        ]
        for side in Side
    ]
    return [sorted(rows, key=lambda row: row["p_delivery_key"]), seen, *due]


def ordered(rows: Sequence[dict[str, Any]], order: Sequence[str]) -> list[tuple[Any, ...]]:
    """Give rows as the tuples a compiled statement takes."""
    return [tuple(row[name] for name in order) for row in rows]
