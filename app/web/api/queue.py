"""What waits."""

from typing import Any

from fastapi import APIRouter, Request

from app.operations.queue import queue_report, report_as_json
from app.runtime import Runtime

router = APIRouter(tags=["queue"])


@router.get("/queue", summary="What waits, by kind and lane")
async def queue(request: Request) -> dict[str, Any]:
    """Give depth, age of the oldest, rate, failures, holds, what was skipped or put back, lanes, and the forecast."""
    runtime: Runtime = request.app.state.runtime
    return report_as_json(await queue_report(runtime))
