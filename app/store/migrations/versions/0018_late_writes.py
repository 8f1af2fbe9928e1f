"""Until when a write that was not answered, and is not waited for, may land all the same."""

import sqlalchemy as sa
from alembic import op

from app.store.migrations.large_indexes import create_index

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if "late_until" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("journal")}:
        op.add_column("journal", sa.Column("late_until", sa.BigInteger()))
    create_index("ix_journal_late", "journal", ["link_id"], "late_until IS NOT NULL")


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
