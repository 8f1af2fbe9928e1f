"""Documents: since when DrChrono has shown the file that it shows of each, to know how long its bytes are missing."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("file_shown_at", sa.BigInteger))


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
