"""A record's history is found by the record, and the records of a kind are gone through in their order."""

from app.store.migrations.large_indexes import create_index

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_events_record", "events", ["record_id", "delivery_id"])
    create_index("ix_links_kind", "links", ["kind", "id"])
    create_index("ix_conflicts_link_id", "conflicts", ["link_id"])


def downgrade() -> None:
    raise NotImplementedError("the way back is a restored backup")
