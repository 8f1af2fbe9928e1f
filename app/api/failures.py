"""What waits for a person, and why."""

from typing import Any

from fastapi import APIRouter, Request

from app.runtime import Runtime
from app.store import queue_state
from app.sync.retry import fix

router = APIRouter(tags=["failures"])


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
