"""The inbox's three statements, written once in Core and run compiled on the raw drivers of both databases.

Deduplication: keep the deliveries whose key is not known; then, of those kept, their events; then make their records
due. A whole group travels as one JSON array per statement, so a commit costs five calls into the driver however large
the group: each call hands Python's lock to the requests and has to win it back. Where each call is a journey to a
server, the three are one statement.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from ulid import ULID

from app.ports import Delivery
from app.store.clock import db_now
from app.store.database import Insert, JsonRows, insert_into, json_of
from app.store.tables import deliveries, events, links
from app.sync.model import Lane, Side


def statements(dialect: sa.Dialect) -> list[str]:
    """Give the texts of a commit's statements, in order; each takes one JSON array from `parameters`."""
    told = JsonRows("rows")
    is_kept = sa.exists().where(deliveries.c.id == told.text("delivery_id"))
    marks = [_mark_due(dialect, side, told, is_kept) for side in Side]
    return [_text(statement, dialect) for statement in (_keep(dialect, told), _note(dialect, told, is_kept), *marks)]


def one_statement(dialect: sa.Dialect) -> str:
    """Give the text of all of them as one, of a database that writes in a WITH; takes `both_parameters`."""
    told, told_events = JsonRows("deliveries"), JsonRows("events")
    kept = _keep(dialect, told).returning(deliveries.c.id).cte("kept")
    is_kept = told_events.text("delivery_id").in_(sa.select(kept.c.id))
    parts = [_note(dialect, told_events, is_kept).cte("noted")]
    for side in Side:
        is_told = sa.and_(is_kept, told_events.text("side") == sa.literal_column(f"'{side}'"))
        parts.append(_mark_due(dialect, side, told_events, is_told).cte(f"due_at_{side}"))
    return _text(sa.select(sa.func.count()).select_from(kept).add_cte(kept, *parts), dialect)


def _text(statement: Any, dialect: sa.Dialect) -> str:
    return str(statement.compile(dialect=dialect))


def _keep(dialect: sa.Dialect, told: JsonRows) -> Insert:
    names = ("id", "side", "event", "vendor_id", "delivery_key", "body", "outcome")
    return (
        insert_into(deliveries, dialect)
        .from_select([*names, "received_at"], sa.select(*told.texts(*names), db_now()).where(sa.true()))
        .on_conflict_do_nothing()
    )


def _note(dialect: sa.Dialect, told: JsonRows, is_kept: sa.ColumnElement[bool]) -> Insert:
    texts = ("delivery_id", "side", "kind", "record_id", "version", "request")
    position = sa.cast(told.text("position"), sa.Integer)
    return insert_into(events, dialect).from_select(
        [*texts, "position"], sa.select(*told.texts(*texts), position).where(is_kept)
    )


def _mark_due(dialect: sa.Dialect, side: Side, told: JsonRows, is_kept: sa.ColumnElement[bool]) -> Insert:
    """Give the statement that makes records due: a lone ref at first, else its link with a generation more.

    Each record once, in the order of its key, so that two writers lock in the same order.
    """
    record_id = links.c[f"{side}_id"]
    kind, ref, link_id, lane = told.texts("kind", "record_id", "link_id", "lane")
    columns = (sa.func.min(link_id), kind, ref, sa.func.max(lane), db_now())  # of these lanes the last is most urgent
    due = sa.select(*columns).where(is_kept, lane.is_not(None)).group_by(kind, ref).order_by(kind, ref)
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
    """Give the JSON array for each of `statements`; empty text where there is nothing to do."""
    rows, seen = _rows(group)
    by_side = [[event for event in seen if event["side"] == side and event["lane"]] for side in Side]
    return [json_of(batch) if batch else "" for batch in (rows, seen, *by_side)]


def both_parameters(group: Sequence[Delivery]) -> list[str]:
    """Give the JSON arrays that `one_statement` takes: the deliveries, and what they say of records."""
    return [json_of(batch) for batch in _rows(group)]


def _rows(group: Sequence[Delivery]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
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
    return rows, seen
