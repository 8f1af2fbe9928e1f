"""What the door costs the database, counted: a commit is as cheap whatever the number of deliveries that share it."""

import asyncio

from tests.store.build import a_delivery
from tests.store.costs import BATCH, Cost, differences


async def test_a_commit_of_deliveries_costs_as_many_statements_whatever_their_number(database, inbox):
    await inbox.keep(a_delivery("first"))
    sent, kind = [], "sqlite" if database.is_sqlite else "postgresql"
    if database.is_sqlite:
        inbox._connection.set_trace_callback(sent.append)
    else:
        inbox._connection.add_query_logger(lambda query: sent.append(query.query))

    await asyncio.gather(*(inbox.keep(a_delivery(str(n))) for n in range(BATCH)))

    commits = _commits(sent)
    assert len(commits) <= 2  # whoever came first may have gone alone
    for statements in commits:
        assert differences(f"deliveries at the door, {kind}", Cost(1, len(statements))) == ""


def _commits(sent):
    """Give the statements of each transaction, without what begins and ends it."""
    commits = []
    for statement in sent:
        if statement.startswith("BEGIN"):
            commits.append([])
        elif not statement.startswith("COMMIT"):
            commits[-1].append(statement)
    return commits
