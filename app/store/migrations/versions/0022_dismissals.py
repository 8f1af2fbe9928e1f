"""Who dismissed a failure, when and why, and what both sides showed when it failed: it stays dismissed while they do."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("failures", sa.Column("shown", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("failures", sa.Column("conflicts", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("failures", sa.Column("dismissed_at", sa.BigInteger()))
    op.add_column("failures", sa.Column("dismissed_by", sa.String(254)))
    op.add_column("failures", sa.Column("reason", sa.String(200)))


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
