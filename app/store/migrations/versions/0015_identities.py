"""Every identity that a chart was known under, beside the one it has now: who had a chart gets no second one."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("link_id", sa.String(length=26), nullable=False),
        sa.PrimaryKeyConstraint("person", "link_id", name="pk_identities"),
    )
    op.create_index("ix_identities_link_id", "identities", ["link_id"])


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
