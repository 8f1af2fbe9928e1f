"""The inbox's three statements, written once in Core and run compiled on the raw drivers of both databases.

Deduplication: keep the deliveries whose key is not known; then, of those kept, their events; then make their records
due. A whole group travels as one JSON array per statement, so a commit costs five calls into the driver however large
the group: each call hands Python's lock to the requests and has to win it back.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from ulid import ULID

from app.ports import Delivery
from app.store.clock import db_now
from app.store.database import JsonRows, insert_into, json_of
from app.store.tables import deliveries, events, links
from app.sync.model import Lane, Side


def statements(dialect: sa.Dialect) -> list[str]:
    """Give the texts of a commit's statements, in order; each takes one JSON array from `parameters`."""
    told = JsonRows("rows")
    kept = sa.exists().where(deliveries.c.id == told.text("delivery_id"))
    names = ("id", "side", "event", "vendor_id", "delivery_key", "body", "outcome")
    keep = (
        insert_into(deliveries, dialect)
        .from_select([*names, "received_at"], sa.select(*told.texts(*names), db_now()).where(sa.true()))
        .on_conflict_do_nothing()
    )
    texts = ("delivery_id", "side", "kind", "record_id", "version", "request")
    position = sa.cast(told.text("position"), sa.Integer)
    note = insert_into(events, dialect).from_select(
        [*texts, "position"], sa.select(*told.texts(*texts), position).where(kept)
    )
    marks = [_mark_due(dialect, side, told, kept) for side in Side]
    return [str(statement.compile(dialect=dialect)) for statement in (keep, note, *marks)]


def _mark_due(dialect: sa.Dialect, side: Side, told: JsonRows, kept: sa.ColumnElement[bool]) -> Any:
    """Give the statement that makes records due: a lone ref at first, else its link with a generation more.

    Each record once, in the order of its key, so that two writers lock in the same order.
    """
    record_id = links.c[f"{side}_id"]
    kind, ref, link_id, lane = told.texts("kind", "record_id", "link_id", "lane")
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
    return [json_of(batch) if batch else "" for batch in (rows, seen, *by_side)]
