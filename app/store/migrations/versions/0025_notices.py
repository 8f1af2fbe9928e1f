"""Notices: what people were told of, and what is still to be sent by which channel."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    texts = [sa.Column(name, sa.String(1_000), nullable=False) for name in ("what", "advice", "over", "path")]
    op.create_table(
        "notice_conditions",
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("about", sa.String(128), nullable=False),
        *texts,
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("told_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("event", "about", name="pk_notice_conditions"),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("items", sa.JSON, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", sa.BigInteger),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("reason", sa.String(200), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id", "channel", name="pk_notices"),
    )
    op.create_index("ix_notices_made_at", "notices", ["made_at"])
    is_open = sa.text("next_at IS NOT NULL")
    op.create_index(
        "ix_notices_next_at", "notices", ["channel", "next_at"], sqlite_where=is_open, postgresql_where=is_open
    )


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
