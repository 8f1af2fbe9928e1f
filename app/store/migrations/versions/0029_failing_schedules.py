"""Schedules: since when what is done by one fails each time, and with which error."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedules", sa.Column("failing_since", sa.BigInteger))
    op.add_column("schedules", sa.Column("cause", sa.String(64)))


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
