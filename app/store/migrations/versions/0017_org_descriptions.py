"""What the Salesforce org says of its objects and of itself, kept for every process."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "org_descriptions",
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("described", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("object", name="pk_org_descriptions"),
    )


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
