"""What an org refuses whatever it is sent (a maintenance, a full storage), since when, and when it last did."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("allowances", sa.Column("refuses", sa.String(64)))
    op.add_column("allowances", sa.Column("refuses_since", sa.BigInteger()))
    op.add_column("allowances", sa.Column("refused_at", sa.BigInteger()))


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
