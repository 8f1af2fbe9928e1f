"""What the vendors let us call and how far a scan has come; due records found by their lane."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("links", sa.Column("listed_in", sa.String(length=26), nullable=True))
    for name, columns in (("ix_links_lane_due", ["kind", "lane", "due_at"]), ("ix_links_due_at", ["due_at"])):
        op.create_index(name, "links", columns, sqlite_where=_DUE, postgresql_where=_DUE)
    op.drop_index("ix_links_due", "links")
    # takes the place of `calls`, which goes once nothing reads it any more
    op.create_table(
        "lane_calls",
        sa.Column("application", sa.String(64), primary_key=True),
        sa.Column("hour", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("lane", sa.String(16), primary_key=True),
        sa.Column("made", sa.Integer(), nullable=False),
    )
    op.create_table(
        "promises",
        sa.Column("application", sa.String(64), primary_key=True),
        sa.Column("minute", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("lane", sa.String(16), primary_key=True),
        sa.Column("calls", sa.Integer(), nullable=False),
    )
    op.create_table(
        "allowances",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("second", sa.BigInteger(), nullable=False),
        sa.Column("in_second", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("closed_until", sa.BigInteger(), nullable=True),
        sa.Column("throttled_at", sa.BigInteger(), nullable=True),
        sa.Column("used", sa.Integer(), nullable=True),
        sa.Column("most", sa.Integer(), nullable=True),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
    )
    op.create_table(
        "scans",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(26), nullable=True),
        sa.Column("held_until", sa.BigInteger(), nullable=True),
    )
    op.create_table(
        "pointed",
        sa.Column("link_id", sa.String(26), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("side", sa.String(16), nullable=False),
    )
    op.create_index("ix_pointed_name", "pointed", ["name"])
    op.create_table(
        "feeds",
        sa.Column("side", sa.String(16), primary_key=True),
        sa.Column("read_to", sa.BigInteger(), nullable=True),
        sa.Column("heard_at", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=True),
        sa.Column("doubted", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("explained", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("silent_since", sa.BigInteger(), nullable=True),
        sa.Column("found", sa.Integer(), nullable=False, server_default="0"),
    )
    op.create_table(
        "darkness",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
