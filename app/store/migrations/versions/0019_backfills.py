"""Since when each kind is synced, what a preview counted, and whether what was there before was loaded.

A database that has linked records was synced before this was kept: everything in it counts as loaded, and goes on as it did.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_KINDS = ("patient", "appointment", "doctor", "office")


def upgrade() -> None:
    made = op.create_table(
        "backfills",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("connected_at", sa.BigInteger()),
        sa.Column("newest", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("preview_asked_at", sa.BigInteger()),
        sa.Column("progress", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("counted_at", sa.BigInteger()),
        sa.Column("counts", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("load_asked_at", sa.BigInteger()),
        sa.Column("loaded_at", sa.BigInteger()),
        sa.Column("problem", sa.String(length=200), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("kind", name="pk_backfills"),
    )
    connection = op.get_bind()
    pair = "SELECT 1 FROM links WHERE drchrono_id IS NOT NULL AND salesforce_id IS NOT NULL LIMIT 1"
    if connection.execute(sa.text(pair)).first():
        since = connection.execute(sa.text("SELECT MIN(recorded_at) FROM instance")).scalar() or 0
        op.bulk_insert(made, [{"kind": kind, "connected_at": since, "loaded_at": since} for kind in _KINDS])


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
