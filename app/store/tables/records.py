"""What came in, the links and what became of each: the tables that grow with the clinic."""

import sqlalchemy as sa

from app.store.clock import DEADLINE, STAMP, Instant, lease
from app.store.tables.naming import metadata, only
from app.sync.model import OPEN
from app.timings import REAL

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("side", sa.String(16), nullable=False),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("vendor_id", sa.String(128)),
    sa.Column("delivery_key", sa.String(64), nullable=False, unique=True),
    sa.Column("body", sa.Text),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("received_at", Instant, nullable=False, index=True, info=STAMP),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("delivery_id", sa.String(26), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("side", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("record_id", sa.String(64), nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("request", sa.String(80)),  # what a person asked for on the record's card
    sa.Column("finished_at", Instant, info=STAMP),
)
sa.Index("ix_events_open", events.c.side, events.c.kind, events.c.record_id, **only(events.c.finished_at.is_(None)))
sa.Index("ix_events_record", events.c.record_id, events.c.delivery_id)  # with kind and side open ones were sought here

links = sa.Table(
    "links",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("drchrono_id", sa.String(64)),
    sa.Column("salesforce_id", sa.String(18)),
    sa.Column("base", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("base_version", sa.Integer, nullable=False, server_default="0"),
    sa.Column("floor", sa.String(32), nullable=False, server_default=""),
    sa.Column("confirm_at", Instant, info=DEADLINE),
    sa.Column("unsettled", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("person", sa.String(64)),
    sa.Column("series", sa.String(64)),
    sa.Column("generation", sa.BigInteger, nullable=False, server_default="1"),
    sa.Column("lane", sa.String(16), nullable=False, server_default="live"),
    sa.Column("due_at", Instant, info=DEADLINE),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_error", sa.String(64)),
    sa.Column("lease_owner", sa.String(26)),
    sa.Column("lease_until", Instant, info=lease(REAL.lease)),
    sa.Column("synced_at", Instant, info=STAMP),
    sa.Column("listed_in", sa.String(26)),
    sa.Column("excluded_by", sa.String(32)),  # None: in the set that is synced
    sa.Column("status", sa.String(64), nullable=False, server_default=""),  # what its Salesforce record shows of it
    sa.Column("status_due_at", Instant, info=DEADLINE, server_default="0"),  # None: it shows how the link stands
    sa.UniqueConstraint("kind", "drchrono_id"),
    sa.UniqueConstraint("kind", "salesforce_id"),
)
_DUE = only(links.c.due_at.is_not(None))
sa.Index("ix_links_lane_due", links.c.kind, links.c.lane, links.c.due_at, **_DUE)
sa.Index("ix_links_due_at", links.c.due_at, **_DUE)
sa.Index("ix_links_kind", links.c.kind, links.c.id)
sa.Index("ix_links_series", links.c.series, **only(links.c.series.is_not(None)))
sa.Index("ix_links_person", links.c.person, **only(links.c.person.is_not(None)))
sa.Index("ix_links_excluded", links.c.kind, links.c.id, **only(links.c.excluded_by.is_not(None)))
_STATUS_DUE = sa.and_(links.c.status_due_at.is_not(None), links.c.salesforce_id.is_not(None))
sa.Index("ix_links_status_due_at", links.c.kind, links.c.status_due_at, **only(_STATUS_DUE))

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("person", sa.String(64), primary_key=True),
    sa.Column("link_id", sa.String(26), primary_key=True),
)
sa.Index("ix_identities_link_id", identities.c.link_id)

matches = sa.Table(
    "matches",
    metadata,
    sa.Column("person", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(26), nullable=False),
    sa.Column("until", Instant, nullable=False, info=lease(REAL.lease)),
)
sa.Index("ix_matches_owner", matches.c.owner)

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("link_id", sa.String(26), nullable=False),
    sa.Column("side", sa.String(16), nullable=False),
    sa.Column("call", sa.String(16), nullable=False),
    sa.Column("stamps", sa.JSON, nullable=False),
    sa.Column("why", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("replaced", sa.Text),
    sa.Column("sent", sa.Text),
    sa.Column("content_stamp", sa.String(64)),
    sa.Column("record_id", sa.String(64)),
    sa.Column("job", sa.String(18)),
    sa.Column("searched_at", Instant, info=STAMP),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("planned_at", Instant, nullable=False, info=STAMP),
    sa.Column("settle_at", Instant, nullable=False, info=DEADLINE),
    sa.Column("late_until", Instant, info=DEADLINE),  # until then it may land, though nobody waits for it
    sa.Column("answered_at", Instant, index=True, info=STAMP),
    sa.Column("code", sa.String(64)),
)
sa.Index("ix_journal_link_id", journal.c.link_id)
sa.Index("ix_journal_open", journal.c.link_id, **only(journal.c.state.in_(OPEN)))
sa.Index("ix_journal_late", journal.c.link_id, **only(journal.c.late_until.is_not(None)))

conflicts = sa.Table(
    "conflicts",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("journal_id", sa.String(26), nullable=False),
    sa.Column("link_id", sa.String(26), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    *(sa.Column(name, sa.String(64), nullable=False) for name in ("field", "rule")),
    sa.Column("kept", sa.Text),  # None: too old to be put back
    sa.Column("at", Instant, nullable=False, index=True, info=STAMP),
)
sa.Index("ix_conflicts_link_id", conflicts.c.link_id)
sa.Index("ix_conflicts_field", conflicts.c.field, conflicts.c.id)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("link_id", sa.String(26), nullable=False),
    sa.Column("field", sa.String(64), nullable=False),
    sa.Column("side", sa.String(16), nullable=False),
    sa.Column("twin", sa.String(64)),
    sa.Column("expects", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("conflict_id", sa.String(26), unique=True),
    sa.Column("by_name", sa.String(254), nullable=False, server_default=""),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("at", Instant, nullable=False, info=STAMP),
    sa.Column("ended_at", Instant, info=STAMP),
)
_has_ended = decisions.c.ended_at.is_not(None)
sa.Index("ix_decisions_ended_at", decisions.c.ended_at, **only(_has_ended))
_is_open = decisions.c.ended_at.is_(None)
sa.Index("ix_decisions_link_id", decisions.c.link_id, decisions.c.id)
sa.Index("ix_decisions_open", decisions.c.link_id, decisions.c.field, unique=True, **only(_is_open))

# what is old and still there, for app/store/retention.py
for _name, _at, _there in (
    ("ix_deliveries_body", deliveries.c.received_at, deliveries.c.body.is_not(None)),
    ("ix_deliveries_listed", deliveries.c.received_at, deliveries.c.event == sa.literal_column("'LISTED'")),
    ("ix_journal_values", journal.c.answered_at, sa.or_(journal.c.replaced.is_not(None), journal.c.sent.is_not(None))),
    ("ix_conflicts_kept", conflicts.c.at, conflicts.c.kept.is_not(None)),
):
    sa.Index(_name, _at, _at.table.c.id, **only(_there))

failures = sa.Table(
    "failures",
    metadata,
    sa.Column("link_id", sa.String(26), primary_key=True),
    sa.Column("side", sa.String(16), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("cause", sa.String(64), nullable=False),
    sa.Column("fields", sa.String(512), nullable=False),
    sa.Column("is_held", sa.Boolean, nullable=False),
    sa.Column("at", Instant, nullable=False, info=STAMP),  # when it failed last
    sa.Column("since", Instant, nullable=False, info=STAMP, server_default="0"),  # when it first failed so
    sa.Column("attempts", sa.Integer, nullable=False, server_default="1"),
    sa.Column("message", sa.Text),  # sealed: what the vendor says of it
    sa.Column("note", sa.Text),  # sealed: what a person says of it
    sa.Column("shown", sa.JSON, nullable=False, server_default="{}"),  # side -> field -> stamp of what it showed then
    sa.Column("conflicts", sa.JSON, nullable=False, server_default="[]"),  # fields that were counted as conflicts
    sa.Column("dismissed_at", Instant, info=STAMP),  # None: it waits for a person
    sa.Column("dismissed_by", sa.String(254)),
    sa.Column("reason", sa.String(200)),
)
sa.Index("ix_failures_cause", failures.c.side, failures.c.kind, failures.c.cause)
sa.Index("ix_failures_is_held", failures.c.is_held, failures.c.dismissed_at)  # counted for every page
sa.Index("ix_failures_since", failures.c.since, failures.c.link_id)
sa.Index("ix_failures_message", failures.c.at, failures.c.link_id, **only(failures.c.message.is_not(None)))

record_history = sa.Table(
    "record_history",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("link_id", sa.String(26), nullable=False),
    sa.Column("what", sa.String(16), nullable=False),
    sa.Column("side", sa.String(16), nullable=False, server_default=""),
    sa.Column("cause", sa.String(64), nullable=False, server_default=""),
    sa.Column("fields", sa.String(512), nullable=False, server_default=""),
    sa.Column("by_name", sa.String(254), nullable=False, server_default=""),
    sa.Column("deliveries", sa.JSON, nullable=False, server_default="[]"),  # what came in and was not applied
    sa.Column("times", sa.Integer, nullable=False, server_default="1"),
    sa.Column("at", Instant, nullable=False, info=STAMP),
    sa.Column("last_at", Instant, nullable=False, info=STAMP),
)
sa.Index("ix_record_history_link_id", record_history.c.link_id, record_history.c.id)
sa.Index("ix_record_history_at", record_history.c.at, record_history.c.id)

pointed = sa.Table(
    "pointed",
    metadata,
    sa.Column("link_id", sa.String(26), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("side", sa.String(16), nullable=False),
)
sa.Index("ix_pointed_name", pointed.c.name)

awaited = sa.Table(
    "awaited",
    metadata,
    sa.Column("link_id", sa.String(26), primary_key=True),
    sa.Column("side", sa.String(16), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("record_id", sa.String(64), primary_key=True),
)
sa.Index("ix_awaited_record", awaited.c.side, awaited.c.kind, awaited.c.record_id)

# of a document what its link has no column for: ids, and of its bytes no more than a keyed hash
documents = sa.Table(
    "documents",
    metadata,
    sa.Column("link_id", sa.String(26), primary_key=True),
    sa.Column("patient_id", sa.String(64)),  # DrChrono's
    sa.Column("content_stamp", sa.String(64)),
    sa.Column("size_bytes", sa.BigInteger),
    sa.Column("type", sa.String(8)),
    sa.Column("replaced_by", sa.String(64)),  # DrChrono's id of the document of a newer version
    sa.Column("told_at", Instant, info=STAMP),  # when DrChrono's description came to say so
    sa.Column("file_read", sa.String(64)),  # of DrChrono's file that was read last: its stamp and a hash of its address
    sa.Column("file_shown", sa.String(64)),  # the same of one that DrChrono has shown since, which may be another
    sa.Column("file_shown_at", Instant, info=STAMP),  # since when it has shown that one
)
sa.Index("ix_documents_patient_id", documents.c.patient_id)
_IS_UNTOLD = sa.and_(documents.c.replaced_by.is_not(None), documents.c.told_at.is_(None))
sa.Index("ix_documents_untold", documents.c.link_id, **only(_IS_UNTOLD))

# patients whose documents are to be listed at once, or were lately
document_polls = sa.Table(
    "document_polls",
    metadata,
    sa.Column("patient_id", sa.String(64), primary_key=True),  # DrChrono's
    sa.Column("lane", sa.String(16), nullable=False),
    sa.Column("due_at", Instant, info=DEADLINE),
    sa.Column("listed_at", Instant, info=STAMP),
)
sa.Index("ix_document_polls_due_at", document_polls.c.due_at, **only(document_polls.c.due_at.is_not(None)))
