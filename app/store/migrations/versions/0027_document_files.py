"""Documents: which file of each was read last, and which one DrChrono has shown since."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("file_read", "file_shown"):
        op.add_column("documents", sa.Column(name, sa.String(64)))


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
