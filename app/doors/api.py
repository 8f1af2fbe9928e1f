"""The operator's JSON: what waits, what failed and why, and the lanes.

`Authorization: Bearer` with OPERATOR_TOKEN reads and acts, with VIEWER_TOKEN it reads; so does a signed-in session. The
role is checked before anything of the request is looked at.
"""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from app.backlog import backlog
from app.log import log
from app.runtime import Runtime
from app.store import conflicts as store_conflicts
from app.store import queue_state
from app.sync.records import Lane, Side
from app.sync.retry import fix
from app.web.access import operator, reader

router = APIRouter(prefix="/api/v1", tags=["api"], dependencies=[Depends(reader)])


@router.get("/queue", summary="What waits, by kind and lane")
async def queue(request: Request) -> dict[str, Any]:
    """Give depth, age of the oldest, rate, failures, holds, what was skipped or put back, lanes, and the forecast."""
    run: Runtime = request.app.state.run
    return await backlog(run)


@router.get("/failures", summary="What waits for a person, grouped by cause")
async def failures(request: Request) -> dict[str, Any]:
    """Give failures and holds by cause, with how many, which fields, and what to do."""
    run: Runtime = request.app.state.run
    items = [
        {
            "cause": row.cause,
            "side": row.side,
            "kind": row.kind,
            "fields": row.fields.split(",") if row.fields else [],
            "count": row.records,
            "held": row.is_held,
            "sample": row.sample,
            "fix": fix(row.cause),
        }
        for row in await queue_state.failure_groups(run.database)
    ]
    return {"items": items, "total": len(items), "next": None}


@router.get("/conflicts", summary="What both sides had changed, and which rule decided")
async def conflicts(request: Request, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> dict[str, Any]:
    """Give the latest conflicts, newest first; never a value: both are kept, sealed."""
    run: Runtime = request.app.state.run
    items = [
        {
            "id": row.id,
            "kind": row.kind,
            "field": row.field,
            "rule": row.rule,
            "winner": Side(row.side).other.value,
            "state": row.state,
            "drchrono_id": row.drchrono_id,
            "salesforce_id": row.salesforce_id,
            "at": row.at.isoformat(timespec="seconds"),
        }
        for row in await store_conflicts.lately(run.database, limit)
    ]
    return {"items": items, "total": await store_conflicts.count(run.database), "next": None}


class LaneName(StrEnum):
    """A lane, or all of them."""

    LIVE = "live"
    RETRY = "retry"
    CONFIRM = "confirm"
    COMPARE = "compare"
    BACKFILL = "backfill"
    ALL = "all"

    def lanes(self) -> list[Lane]:
        """Give the lanes that are meant."""
        return list(Lane) if self is LaneName.ALL else [Lane(self.value)]


@router.post("/lanes/{lane}/pause", dependencies=[Depends(operator)], summary="Make no writes from a lane")
async def pause(request: Request, lane: LaneName) -> dict[str, Any]:
    """Pause a lane: its work stays in it and makes no writes."""
    run: Runtime = request.app.state.run
    await queue_state.set_paused(run.database, lane.lanes(), "paused by an operator")
    log.warning("lane.paused", lane=lane.value)
    return {"lanes": await queue_state.lane_states(run.database)}


@router.post("/lanes/{lane}/resume", dependencies=[Depends(operator)], summary="Let a lane write again")
async def resume(request: Request, lane: LaneName) -> dict[str, Any]:
    """Resume a lane, and ring for what waited in it."""
    run: Runtime = request.app.state.run
    await queue_state.set_paused(run.database, lane.lanes(), None)
    run.bell.ring(run.mappings)
    log.warning("lane.resumed", lane=lane.value)
    return {"lanes": await queue_state.lane_states(run.database)}
