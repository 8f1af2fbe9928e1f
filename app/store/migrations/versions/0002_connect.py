"""Connect: what a refresh leaves behind, a pair that waits for a word, consents, sessions, counted calls."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connections", sa.Column("expires_at", sa.BigInteger(), nullable=True))
    op.add_column("connections", sa.Column("asked_at", sa.BigInteger(), nullable=True))
    op.add_column("connections", sa.Column("ask_again_at", sa.BigInteger(), nullable=True))
    op.add_column("connections", sa.Column("practice", sa.String(length=64), nullable=True))
    op.add_column("connections", sa.Column("pending", sa.Text(), nullable=True))
    op.add_column("connections", sa.Column("pending_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "consents",
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("browser", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("state", name="pk_consents"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_table(
        "calls",
        sa.Column("application", sa.String(length=64), nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("made", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("application", "hour", name="pk_calls"),
    )


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
