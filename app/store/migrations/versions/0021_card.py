"""What a record's card in Salesforce shows people, and what they ask for there; every record's status is due once."""

import sqlalchemy as sa
from alembic import op

from app.store.migrations.large_indexes import create_index

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("links")}
    if "status" not in columns:  # the index behind them may have been cut off
        op.add_column("links", sa.Column("status", sa.String(64), nullable=False, server_default=""))
    if "status_due_at" not in columns:
        op.add_column("links", sa.Column("status_due_at", sa.BigInteger, server_default="0"))
    if "request" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("events")}:
        op.add_column("events", sa.Column("request", sa.String(80)))
    where = "status_due_at IS NOT NULL AND salesforce_id IS NOT NULL"
    create_index("ix_links_status_due_at", "links", ["kind", "status_due_at"], where)


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
