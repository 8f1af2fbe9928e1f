"""The journal: a keyed hash of what an upload sends, to find by it what it may have made."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("journal", sa.Column("content_stamp", sa.String(64)))


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
