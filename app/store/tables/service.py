"""The service itself: who is connected and signed in, its calls, its schedules, its processes and the audit."""

import sqlalchemy as sa

from app.store.clock import DEADLINE, STAMP, Instant, lease
from app.store.tables.naming import metadata, only
from app.timings import REAL, TOKEN_LEASE

connections = sa.Table(
    "connections",
    metadata,
    sa.Column("side", sa.String(16), primary_key=True),
    sa.Column("token", sa.Text),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("refresh_at", Instant, info=DEADLINE),
    sa.Column("lease_owner", sa.String(26)),
    sa.Column("lease_until", Instant, info=lease(TOKEN_LEASE)),
    sa.Column("refused_at", Instant, info=STAMP),
    sa.Column("refused_code", sa.String(64)),
    sa.Column("expires_at", Instant, info=DEADLINE),
    sa.Column("asked_at", Instant, info=STAMP),
    sa.Column("ask_again_at", Instant, info=DEADLINE),
    sa.Column("practice", sa.String(64)),
    sa.Column("pending", sa.Text),
    sa.Column("pending_at", Instant, info=STAMP),
)

consents = sa.Table(
    "consents",
    metadata,
    sa.Column("state", sa.String(64), primary_key=True),
    sa.Column("browser", sa.String(64), nullable=False),
    sa.Column("expires_at", Instant, nullable=False, info=DEADLINE),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("token", sa.String(64), nullable=False),
    sa.Column("name", sa.String(254), nullable=False, server_default=""),
    sa.Column("role", sa.String(16), nullable=False, server_default=""),
    *(sa.Column(name, Instant, nullable=False, info=STAMP) for name in ("started_at", "seen_at")),
)

lane_calls = sa.Table(
    "lane_calls",
    metadata,
    sa.Column("application", sa.String(64), primary_key=True),
    sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("lane", sa.String(16), primary_key=True),
    sa.Column("made", sa.Integer, nullable=False),
)

promises = sa.Table(
    "promises",
    metadata,
    sa.Column("application", sa.String(64), primary_key=True),
    sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("lane", sa.String(16), primary_key=True),
    sa.Column("calls", sa.Integer, nullable=False),
)

allowances = sa.Table(
    "allowances",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("second", sa.BigInteger, nullable=False),
    sa.Column("in_second", sa.Integer, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("closed_until", Instant, info=DEADLINE),
    sa.Column("throttled_at", Instant, info=STAMP),
    *(sa.Column(name, sa.Integer) for name in ("used", "most")),
    sa.Column("told_at", Instant, info=STAMP),
    sa.Column("refuses", sa.String(64)),
    *(sa.Column(name, Instant, info=STAMP) for name in ("refuses_since", "refused_at")),
)

scans = sa.Table(
    "scans",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(26), nullable=False),
    sa.Column("started_at", Instant, nullable=False, info=STAMP),
    sa.Column("state", sa.JSON, nullable=False),
    sa.Column("saved_at", Instant, nullable=False, info=STAMP),
    sa.Column("owner", sa.String(26)),
    sa.Column("held_until", Instant, info=lease(REAL.scan_held)),
)

feeds = sa.Table(
    "feeds",
    metadata,
    sa.Column("side", sa.String(16), primary_key=True),
    *(sa.Column(name, Instant, info=DEADLINE) for name in ("read_to", "heard_at", "asked_at")),
    *(sa.Column(name, sa.JSON, nullable=False, server_default="[]") for name in ("doubted", "explained")),
    sa.Column("silent_since", Instant, info=STAMP),
    sa.Column("found", sa.Integer, nullable=False, server_default="0"),
)

darkness = sa.Table(
    "darkness",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    *(sa.Column(name, Instant, nullable=False, info=STAMP) for name in ("since", "until")),
)

zones = sa.Table(
    "zones",
    metadata,
    sa.Column("doctor_id", sa.String(64), primary_key=True),
    sa.Column("zone", sa.String(64), nullable=False),
    *(sa.Column(name, Instant, nullable=False, info=STAMP) for name in ("changed_at", "applied_at")),
)

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("next_at", Instant, nullable=False, info=DEADLINE),
    sa.Column("failing_since", Instant, info=STAMP),  # each time since then; NULL: the last time it came to its end
    sa.Column("cause", sa.String(64)),
)

watermarks = sa.Table(
    "watermarks",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("at", Instant, nullable=False, info=DEADLINE),
)

tallies = sa.Table(
    "tallies",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)

activity = sa.Table(
    "activity",
    metadata,
    sa.Column("slot", sa.BigInteger, primary_key=True, autoincrement=False),  # of five minutes, since 1970
    *(sa.Column(name, sa.String(16), primary_key=True) for name in ("measure", "side", "part")),
    sa.Column("count", sa.BigInteger, nullable=False),
)

lanes = sa.Table(
    "lanes",
    metadata,
    sa.Column("lane", sa.String(16), primary_key=True),
    sa.Column("paused_at", Instant, info=STAMP),
    sa.Column("reason", sa.String(200), nullable=False),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("host", sa.String(128), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    *(sa.Column(name, Instant, nullable=False, info=STAMP) for name in ("started_at", "seen_at")),
    sa.Column("failing", sa.JSON, nullable=False, server_default="{}"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("at", Instant, nullable=False, info=STAMP),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("who", sa.String(64), nullable=False),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("about", sa.String(200), nullable=False),
    sa.Column("records", sa.Integer, nullable=False),
    sa.Column("reason", sa.String(200), nullable=False),
    sa.Column("name", sa.String(254), nullable=False, server_default=""),
    sa.Column("ids", sa.String(16_000), nullable=False, server_default=""),
    sa.Column("position", sa.BigInteger),  # None: noted before the audit was a chain
    sa.Column("digest", sa.String(64)),
    sa.Column("mac", sa.String(64)),
    sa.Column("key_id", sa.String(8)),
)
sa.Index("ix_audit_action", audit.c.action, audit.c.id)
sa.Index("ix_audit_position", audit.c.position, unique=True)

audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)

instance = sa.Table(
    "instance",
    metadata,
    sa.Column("identity", sa.String(512), primary_key=True),
    sa.Column("recorded_at", Instant, nullable=False, info=STAMP),
)

org_descriptions = sa.Table(
    "org_descriptions",
    metadata,
    sa.Column("object", sa.String(64), primary_key=True),
    sa.Column("described", sa.JSON, nullable=False),
)

_MOMENTS = ("connected_at", "preview_asked_at", "counted_at", "load_asked_at", "loaded_at")
backfills = sa.Table(
    "backfills",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    *(sa.Column(name, Instant, info=STAMP) for name in _MOMENTS),
    *(sa.Column(name, sa.JSON, nullable=False, server_default="{}") for name in ("newest", "progress", "counts")),
    sa.Column("problem", sa.String(200), nullable=False, server_default=""),
)

notice_conditions = sa.Table(
    "notice_conditions",
    metadata,
    sa.Column("event", sa.String(32), primary_key=True),
    sa.Column("about", sa.String(128), primary_key=True),
    *(sa.Column(name, sa.String(1_000), nullable=False) for name in ("what", "advice", "over", "path")),
    sa.Column("since", Instant, nullable=False, info=STAMP),
    *(sa.Column(name, Instant, info=STAMP) for name in ("told_at", "ended_at")),
)

notices = sa.Table(  # a row for each channel that a notice goes by
    "notices",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("channel", sa.String(16), primary_key=True),
    sa.Column("items", sa.JSON, nullable=False),
    sa.Column("made_at", Instant, nullable=False, info=STAMP),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_at", Instant, info=DEADLINE),  # None: it was sent, or given up
    sa.Column("sent_at", Instant, info=STAMP),
    sa.Column("reason", sa.String(200), nullable=False, server_default=""),  # why the last attempt did not send it
)
sa.Index("ix_notices_made_at", notices.c.made_at)
sa.Index("ix_notices_next_at", notices.c.channel, notices.c.next_at, **only(notices.c.next_at.is_not(None)))
