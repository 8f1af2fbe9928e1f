"""What is old is found by an index; the values of a conflict can go before its row does."""

import sqlalchemy as sa
from alembic import op

from app.store.migrations.large_indexes import create_index

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OLD = (
    ("ix_deliveries_body", "deliveries", "received_at", "body IS NOT NULL"),
    ("ix_deliveries_listed", "deliveries", "received_at", "event = 'LISTED'"),
    ("ix_journal_values", "journal", "answered_at", "replaced IS NOT NULL OR sent IS NOT NULL"),
    ("ix_conflicts_kept", "conflicts", "at", "kept IS NOT NULL"),
)


def upgrade() -> None:
    with op.batch_alter_table("conflicts") as conflicts:  # SQLite makes the table anew for this
        conflicts.alter_column("kept", existing_type=sa.Text(), nullable=True)
    for name, table, at, there in _OLD:
        create_index(name, table, [at, "id"], there)


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
