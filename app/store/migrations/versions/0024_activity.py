"""What was received, applied and failed, in slots of five minutes, for the charts."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "activity",
        sa.Column("slot", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("measure", sa.String(16), primary_key=True),
        sa.Column("side", sa.String(16), primary_key=True),
        sa.Column("part", sa.String(16), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
