"""A record's history is found by the record, and the records of a kind are gone through in their order."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_events_record", "events", ["record_id", "delivery_id"])
    op.create_index("ix_links_kind", "links", ["kind", "id"])
    op.create_index("ix_conflicts_link_id", "conflicts", ["link_id"])


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
