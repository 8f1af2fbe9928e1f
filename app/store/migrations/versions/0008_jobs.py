"""By which job of Salesforce's a write was sent, as long as it may go on there."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("journal", sa.Column("job", sa.String(length=18), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
