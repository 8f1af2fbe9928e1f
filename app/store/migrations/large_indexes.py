"""Indexes on tables that grow: on PostgreSQL they are built beside the writes, which would otherwise wait for minutes.

Such an index stands in a migration of its own, or behind what may be done twice: what came before is committed first.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

_HALF_BUILT = sa.text("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid")


def create_index(name: str, table: str, columns: Sequence[str], where: str | None = None) -> None:
    """Make an index, unless it is there; one that was cut off while it was built is built again."""
    condition = None if where is None else sa.text(where)
    context = op.get_context()
    if context.dialect.name != "postgresql":
        op.create_index(name, table, list(columns), sqlite_where=condition)
        return
    with context.autocommit_block():
        if op.get_bind().scalar(_HALF_BUILT, {"name": name}):
            op.drop_index(name, table, postgresql_concurrently=True)
        op.create_index(
            name, table, list(columns), postgresql_where=condition, postgresql_concurrently=True, if_not_exists=True
        )
