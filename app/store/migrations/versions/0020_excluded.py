"""What keeps a record out of the set that is synced; those that are out are counted and listed."""

import sqlalchemy as sa
from alembic import op

from app.store.migrations.large_indexes import create_index

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = sa.inspect(op.get_bind()).get_columns("links")
    if "excluded_by" not in {column["name"] for column in columns}:  # the index behind it may have been cut off
        op.add_column("links", sa.Column("excluded_by", sa.String(32)))
    create_index("ix_links_excluded", "links", ["kind", "id"], "excluded_by IS NOT NULL")


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
