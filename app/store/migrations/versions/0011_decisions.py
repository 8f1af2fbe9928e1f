"""What people decided, until it is carried out; conflicts are found by their field."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(length=26), primary_key=True),
        sa.Column("link_id", sa.String(length=26), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("twin", sa.String(length=64)),
        sa.Column("expects", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("conflict_id", sa.String(length=26)),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.UniqueConstraint("conflict_id", name="uq_decisions_conflict_id"),
    )
    has_ended, is_open = sa.text("ended_at IS NOT NULL"), sa.text("ended_at IS NULL")
    op.create_index(
        "ix_decisions_ended_at", "decisions", ["ended_at"], sqlite_where=has_ended, postgresql_where=has_ended
    )
    op.create_index(
        "ix_decisions_open",
        "decisions",
        ["link_id", "field"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("ix_conflicts_field", "conflicts", ["field", "id"])


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
