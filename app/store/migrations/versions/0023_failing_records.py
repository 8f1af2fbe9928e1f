"""Of a failure: since when and after how many attempts, the vendor's own message, a note; and a record's history."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("failures", sa.Column("since", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("failures", sa.Column("attempts", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("failures", sa.Column("message", sa.Text()))
    op.add_column("failures", sa.Column("note", sa.Text()))
    op.execute("UPDATE failures SET since = at")
    op.create_index("ix_failures_is_held", "failures", ["is_held", "dismissed_at"])
    op.create_index("ix_failures_since", "failures", ["since", "link_id"])
    has_message = sa.text("message IS NOT NULL")
    op.create_index(
        "ix_failures_message",
        "failures",
        ["at", "link_id"],
        sqlite_where=has_message,
        postgresql_where=has_message,
    )
    op.add_column("decisions", sa.Column("by_name", sa.String(length=254), nullable=False, server_default=""))
    op.create_index("ix_decisions_link_id", "decisions", ["link_id", "id"])
    op.create_table(
        "record_history",
        sa.Column("id", sa.String(length=26), primary_key=True),
        sa.Column("link_id", sa.String(length=26), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False, server_default=""),
        sa.Column("cause", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("fields", sa.String(length=512), nullable=False, server_default=""),
        sa.Column("by_name", sa.String(length=254), nullable=False, server_default=""),
        sa.Column("deliveries", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("times", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_record_history_link_id", "record_history", ["link_id", "id"])
    op.create_index("ix_record_history_at", "record_history", ["at", "id"])


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
