"""Backlog: what waits, what failed and what is held, as the API and `chronobridge queue` say it."""

from typing import Any

from app.forecast import as_json, forecast
from app.runtime import Runtime
from app.store import queue_state, tallies


async def backlog(run: Runtime) -> dict[str, Any]:
    """Give depth, age of the oldest, rate, failures, holds, what was skipped or put back, lanes, and the forecast.

    Raises  StoreUnavailable
    """
    counts = await queue_state.due_counts(run.database)
    groups = await queue_state.failure_groups(run.database)
    return {
        "depth": sum(one.count for one in counts),
        "oldest_due_age_s": round(max((one.oldest_s for one in counts), default=0.0), 3),
        "rate_per_minute": await queue_state.synced_per_minute(run.database),
        "by_kind": [
            {
                "kind": one.kind,
                "direction": one.direction,
                "lane": one.lane,
                "depth": one.count,
                "oldest_due_age_s": round(one.oldest_s, 3),
            }
            for one in counts
        ],
        "failed": sum(row.records for row in groups if not row.is_held),
        "held": sum(row.records for row in groups if row.is_held),
        "unsettled_writes": sum(row.writes for row in await queue_state.journal_counts(run.database)),
        "counted": await tallies.read(run.database),
        "lanes": await queue_state.lane_states(run.database),
        "forecast": as_json(await forecast(run)),
    }
