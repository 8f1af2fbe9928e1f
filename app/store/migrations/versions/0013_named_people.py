"""Sessions know whose they are, and the audit is a chain: its rows are numbered, and each vouches for those before it.

Rows of before stay outside the chain; its first row vouches for them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("name", sa.String(length=254), nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("role", sa.String(length=16), nullable=False, server_default=""))
    op.add_column("audit", sa.Column("name", sa.String(length=254), nullable=False, server_default=""))
    op.add_column("audit", sa.Column("ids", sa.String(length=16000), nullable=False, server_default=""))
    op.add_column("audit", sa.Column("position", sa.BigInteger()))
    op.add_column("audit", sa.Column("digest", sa.String(length=64)))
    op.add_column("audit", sa.Column("mac", sa.String(length=64)))
    op.add_column("audit", sa.Column("key_id", sa.String(length=8)))
    op.create_index("ix_audit_position", "audit", ["position"], unique=True)
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "position": 0, "digest": ""}])


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
