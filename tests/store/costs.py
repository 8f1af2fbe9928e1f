"""What a batch of records costs, counted and never timed: transactions, statements and calls. One table holds it all.

A number that grew is a batch that costs more for everybody; one that shrank is to be written down.
"""

from contextlib import contextmanager
from dataclasses import asdict, dataclass

import sqlalchemy as sa

BATCH = 200
FEW = 40  # of what goes to DrChrono, which takes one record a call
# read or written now and then, by the clock and not by the batch: what is left of a vendor's quota, and its token
_BY_THE_CLOCK = ("allowances", "connections", "lane_calls", "promises")


@dataclass
class Cost:
    """What was done for one batch.

    transactions  committed
    statements    sent to the database; one that is told many rows counts once
    rows          told to such a statement one by one
    calls         made to either vendor
    """

    transactions: int = 0
    statements: int = 0
    rows: int = 0
    calls: int = 0


COSTS = {  # of BATCH records, or of FEW where they go to DrChrono
    "new patients": Cost(transactions=5, statements=28, rows=2, calls=2),
    "patients changed in DrChrono": Cost(transactions=4, statements=22, rows=2, calls=2),
    "nothing changed": Cost(transactions=2, statements=15, calls=1),
    "Contacts changed in Salesforce": Cost(transactions=52, statements=81, rows=2, calls=41),
    "new Contacts": Cost(transactions=58, statements=107, rows=2, calls=44),
    "deliveries at the door, sqlite": Cost(transactions=1, statements=3),
    "deliveries at the door, postgresql": Cost(transactions=1, statements=1),
}


def differences(name, found):
    """Say which numbers of a batch are others than the table holds, a line each; nothing where all are as they were."""
    known = asdict(COSTS[name])
    return "".join(
        f"{name}: {what} {'grew' if count > known[what] else 'shrank'} from {known[what]} to {count}\n"
        for what, count in asdict(found).items()
        if count != known[what]
    )


@contextmanager
def counted(database):
    """Give what the statements of a batch cost, filled in until the block ends."""
    cost, engine = Cost(), database.engine.sync_engine

    def begin(connection):
        connection.info.pop("is_counted", None)

    def send(connection, _cursor, statement, parameters, _context, many):
        if statement.startswith(("BEGIN", "PRAGMA")) or any(name in statement for name in _BY_THE_CLOCK):
            return
        connection.info["is_counted"] = True
        cost.statements += 1
        cost.rows += len(parameters) if many else 0

    def commit(connection):
        cost.transactions += connection.info.pop("is_counted", False)

    listeners = {"begin": begin, "before_cursor_execute": send, "commit": commit}
    for event, listener in listeners.items():
        sa.event.listen(engine, event, listener)
    try:
        yield cost
    finally:
        for event, listener in listeners.items():
            sa.event.remove(engine, event, listener)
