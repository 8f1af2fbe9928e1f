"""Documents: of each link what it has no column for, and whose documents are to be listed at once."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("link_id", sa.String(26), nullable=False),
        sa.Column("patient_id", sa.String(64)),
        sa.Column("content_stamp", sa.String(64)),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("type", sa.String(8)),
        sa.Column("replaced_by", sa.String(64)),
        sa.Column("told_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("link_id", name="pk_documents"),
    )
    op.create_index("ix_documents_patient_id", "documents", ["patient_id"])
    is_untold = sa.text("replaced_by IS NOT NULL AND told_at IS NULL")
    op.create_index(
        "ix_documents_untold", "documents", ["link_id"], sqlite_where=is_untold, postgresql_where=is_untold
    )
    op.create_table(
        "document_polls",
        sa.Column("patient_id", sa.String(64), nullable=False),
        sa.Column("lane", sa.String(16), nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("listed_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("patient_id", name="pk_document_polls"),
    )
    is_due = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_document_polls_due_at", "document_polls", ["due_at"], sqlite_where=is_due, postgresql_where=is_due
    )


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
