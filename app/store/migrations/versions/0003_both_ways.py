"""Both ways: fields written to DrChrono and not shown since; why a field was written; calls by the second."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("links", sa.Column("unsettled", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("journal", sa.Column("why", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("calls", sa.Column("second", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("calls", sa.Column("in_second", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
