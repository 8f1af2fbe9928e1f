"""What waits."""

from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, Field

from app.operations.queue import queue_report, report_as_json
from app.runtime import Runtime
from app.web.api.deprecated import NowCalled, with_aliases
from app.web.api.queues import LaneState
from app.web.auth import api_router

router = api_router("queue")
_INSTANT = "2026-03-05T14:00:00+00:00"


@with_aliases
class HourForecast(BaseModel):
    """DrChrono's clock hour, and what waits for it; `calls_made` and `waiting` by lane, `says` in a sentence."""

    calls_left: int
    calls_per_hour: int
    calls_made: dict[str, int]
    resets_at: str = Field(examples=[_INSTANT])
    waiting: dict[str, int]
    caught_up_at: str | None = Field(examples=[_INSTANT])
    paused_until: str | None = Field(examples=[_INSTANT])
    says: Annotated[str, NowCalled("message")]


@with_aliases
class DayForecast(BaseModel):
    """Salesforce's day; `calls_per_day` is null until it has said what its day allows, `share` of it is ours."""

    calls_used: int
    calls_per_day: int | None
    share: float
    paused_until: str | None = Field(examples=[_INSTANT])
    says: Annotated[str, NowCalled("message")]


class DocumentCallsForecast(BaseModel):
    """DrChrono's calls of an hour that documents may have which nobody waits for, and how many documents wait."""

    calls_left: int
    calls_per_hour: int
    waiting: int
    not_before: str | None = Field(description="when the last of them has its first call", examples=[_INSTANT])
    message: str


class Forecasts(BaseModel):
    """Both vendors' quotas, null for one that is not connected; `documents` is null where none are synced."""

    drchrono: HourForecast | None
    salesforce: DayForecast | None
    documents: DocumentCallsForecast | None


@with_aliases
class DueDepth(BaseModel):
    """What is due of a kind, in one direction and lane."""

    kind: str = Field(examples=["patient"])
    direction: str = Field(examples=["to_salesforce"])
    lane: Annotated[str, NowCalled("queue")] = Field(examples=["live"])
    depth: int
    oldest_due_age_s: float


@with_aliases
class Queue(BaseModel):
    """What waits, what failed, what is held and what was dismissed; `counted` since ever, by name."""

    depth: int
    oldest_due_age_s: float
    rate_per_minute: int
    by_kind: list[DueDepth]
    failed: int
    held: Annotated[int, NowCalled("needs_review")]
    dismissed: int
    excluded: int
    unsettled_writes: int
    counted: dict[str, int]
    lanes: Annotated[list[LaneState], NowCalled("queues")]
    forecast: Forecasts


@router.get("/queue", response_model=Queue, summary="What is pending, by kind and queue")
async def queue(request: Request) -> Any:
    """Give depth, age of the oldest, rate, failures, holds, what was ignored or reverted, queues, and the forecast."""
    runtime: Runtime = request.app.state.runtime
    return report_as_json(await queue_report(runtime))
