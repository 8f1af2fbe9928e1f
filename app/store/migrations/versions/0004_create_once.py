"""Create once: who a link is, who may be matched by whom, and what is left of a create whose answer never came."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("person", sa.String(length=64), nullable=True))
    op.create_index(
        "ix_links_person",
        "links",
        ["person"],
        sqlite_where=sa.text("person IS NOT NULL"),
        postgresql_where=sa.text("person IS NOT NULL"),
    )
    op.create_table(
        "matches",
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=26), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person", name="pk_matches"),
    )
    op.create_index("ix_matches_owner", "matches", ["owner"])
    op.add_column("journal", sa.Column("sent", sa.Text(), nullable=True))
    op.add_column("journal", sa.Column("record_id", sa.String(length=64), nullable=True))
    op.add_column("journal", sa.Column("searched_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
