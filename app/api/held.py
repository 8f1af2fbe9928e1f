"""What a person settles: conflicts that a rule decided, and what is held."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from app.runtime import Runtime
from app.store import conflicts as store_conflicts
from app.sync.records import Side

router = APIRouter(tags=["held"])


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
