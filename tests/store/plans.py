"""What a statement of the product's costs a database: the tables its plan walks through whole, and the work it does.

Statements are captured as they are sent, so no test can drift from the code. A partial index holds only what is due,
open or old, so to walk through it is no walk through its table.
"""

import json
import re
import sqlite3
from contextlib import closing

import sqlalchemy as sa

from app.store import tables
from app.store.clock import db_now
from tests.store.build import change, connected

_TABLES = ("links", "deliveries", "events", "journal", "conflicts", "decisions", "record_history")
_GROWING = "|".join(_TABLES)
_PARTIAL = [index.name for name in _TABLES for index in tables.metadata.tables[name].indexes if "rows" in index.info]
_TELLING = r"\(.*\b(id|\w+_id|delivery_key|person|at|\w+_at)\b.*(=|<|>)"  # a side or a kind alone leaves far too much
_AT_ONCE = 50_000  # a statement of the product's has half a minute, on whatever machine
_LAST_ROW = r"SEARCH \w+_1"  # how SQLite says that it looks for the largest rowid


async def fill(database, first, last):
    """Let there be linked records with these numbers, each with a finished delivery, a settled write and an undo."""
    for at in range(first, last + 1, _AT_ONCE):
        await _fill(database, at, min(at + _AT_ONCE - 1, last))
    if not database.is_sqlite:
        connection = await connected(database)
        await connection.execute("VACUUM ANALYZE")  # as its autovacuum does, which the tests' server leaves
        await connection.close()


async def _fill(database, first, last):
    numbers = sa.select(sa.literal(first, sa.Integer).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < last))
    n = sa.cast(numbers.c.n, sa.String)
    side, kind, now = sa.literal("drchrono"), sa.literal("patient"), db_now()
    for table, row in (
        (
            tables.links,
            {"id": "L" + n, "kind": kind, "drchrono_id": n, "salesforce_id": "003" + n, "status_due_at": sa.null()},
        ),
        (
            tables.deliveries,
            {
                "id": "D" + n, "side": side, "event": sa.literal("PATIENT_MODIFY"), "delivery_key": "D" + n,
                "body": sa.literal("sealed"), "outcome": sa.literal("kept"), "received_at": now,
            },
        ),
        (
            tables.events,
            {
                "delivery_id": "D" + n, "position": sa.literal(0, sa.Integer), "side": side, "kind": kind,
                "record_id": n, "version": sa.literal(""), "finished_at": now,
            },
        ),
        (
            tables.journal,
            {
                "id": "J" + n, "link_id": "L" + n, "side": side, "call": sa.literal("update"),
                "stamps": sa.literal({}, sa.JSON), "replaced": sa.literal("sealed"), "state": sa.literal("confirmed"),
                "planned_at": now, "settle_at": now, "answered_at": now,
            },
        ),
        (
            tables.conflicts,
            {
                "id": "C" + n, "journal_id": "J" + n, "link_id": "L" + n, "kind": kind, "field": sa.literal("email"),
                "rule": sa.literal("drchrono owns it"), "kept": sa.literal("sealed"), "at": now,
            },
        ),
        (
            tables.decisions,
            {
                "id": "W" + n, "link_id": "L" + n, "field": sa.literal("email"), "side": side,
                "expects": sa.literal({}, sa.JSON), "conflict_id": "C" + n, "state": sa.literal("done"),
                "at": now, "ended_at": now,
            },
        ),
        (
            tables.record_history,
            {
                "id": "H" + n, "link_id": "L" + n, "what": sa.literal("failed"), "side": side, "at": now,
                "last_at": now,
            },
        ),
    ):  # fmt: skip
        rows = sa.select(*(value.label(name) for name, value in row.items())).select_from(numbers)
        await change(database, sa.insert(table).from_select(list(row), rows))


async def walked_through(database, statement, parameters):
    """Give the tables that grow, or their indexes, that a statement's plan walks through whole."""
    given = parameters[0] if isinstance(parameters, list) and isinstance(parameters[0], tuple) else parameters
    return (
        _by_sqlite(database, statement, given)
        if database.is_sqlite
        else await _by_postgresql(database, statement, given)
    )


def _by_sqlite(database, statement, given):
    with closing(sqlite3.connect(database.path)) as connection:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", given)]
    walks = [step for step in steps if re.match(rf"(SCAN|SEARCH) ({_GROWING})(_1)?\b", step)]
    return [step for step in walks if not _is_narrow(step) and not re.fullmatch(_LAST_ROW, step)]


async def _by_postgresql(database, statement, given):
    connection = await connected(database)
    plan = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *given))[0]["Plan"]
    await connection.close()
    walks = [
        f"{node['Node Type']} {node.get('Relation Name', '')} {node.get('Index Name', '')} {node.get('Index Cond', '')}"
        for node in _nodes(plan)
        if "Scan" in node["Node Type"] and node["Node Type"] != "Bitmap Heap Scan"
    ]
    return [step for step in walks if re.search(_GROWING, step) and not _is_narrow(step)]


def _is_narrow(step):
    """Say whether an index that holds little is used, or a condition that leaves little of one that holds all."""
    return any(name in step for name in _PARTIAL) or re.search(_TELLING, step) is not None


def _nodes(plan):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


async def cost(database, statements):
    """Give the work that statements do, in one transaction that is rolled back.

    SQLite: steps of its virtual machine. PostgreSQL: pages looked at, in memory or not.
    """
    return _steps(database, statements) if database.is_sqlite else await _pages(database, statements)


def _steps(database, statements):
    count = 0

    def step():
        nonlocal count
        count += 1

    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        connection.set_progress_handler(step, 1)
        for statement, given in statements:  # the first begins the transaction
            connection.execute(statement, given).fetchall()
        connection.set_progress_handler(None, 0)
        connection.execute("ROLLBACK")
    return count


async def _pages(database, statements):
    connection, count = await connected(database), 0
    transaction = connection.transaction()
    await transaction.start()
    for statement, given in statements:
        found = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *given)
        plan = json.loads(found)[0]["Plan"]
        count += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    await transaction.rollback()
    await connection.close()
    return count
