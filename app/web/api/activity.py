"""What was received, applied and failed over time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, Field

from app.operations.activity import KEPT_FOR, ActivityStep, activity_of, problem_of
from app.runtime import Runtime
from app.web.api.records import OUTCOMES
from app.web.auth import api_router

router = api_router("queue")
_INSTANT = "2026-03-05T14:00:00+00:00"
_DAY, _LONGEST_S = timedelta(days=1), 10**9


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """From a moment to another; None: as far as there is."""

    since: datetime | None = None
    until: datetime | None = None


def refused(parameter: str, problem: str) -> RequestValidationError:
    """Give what says that a parameter cannot be taken, in the form of every invalid request."""
    return RequestValidationError([{"type": "value_error", "loc": ("query", parameter), "msg": problem}])


def time_span(
    since: Annotated[AwareDatetime | None, Query(description="not before this moment", examples=[_INSTANT])] = None,
    until: Annotated[AwareDatetime | None, Query(description="before this moment", examples=[_INSTANT])] = None,
) -> TimeSpan:
    """Give the range of time that is meant."""
    if since is not None and until is not None and until <= since:
        raise refused("until", "`until` is not later than `since`")
    return TimeSpan(since, until)


class ActivityOfStep(BaseModel):
    """What happened from `begin` on, for the length of a step; `p95_s` is null where nothing was applied."""

    begin: str = Field(examples=[_INSTANT])
    received: dict[str, int] = Field(description="deliveries, by the system that sent them")
    results: dict[str, int] = Field(
        description="the same deliveries, by their result", examples=[{"accepted": 12, "ignored": 1, "invalid": 0}]
    )
    applied: dict[str, int] = Field(description="writes, by the system that has taken them")
    failed: int = Field(description="records that began to fail")
    needs_review: int = Field(description="records that began to need a review")
    p95_s: float | None = Field(description="in how many seconds 95 of 100 deliveries were applied")


class ActivitySeries(BaseModel):
    """Activity step by step, oldest first; `total` is all of it as one step."""

    since: str = Field(examples=[_INSTANT])
    until: str = Field(examples=[_INSTANT])
    step_s: int = Field(examples=[1800])
    steps: list[ActivityOfStep]
    total: ActivityOfStep


@router.get(
    "/activity",
    response_model=ActivitySeries,
    summary="What was received, applied and failed over time",
)
async def activity(
    request: Request,
    span: Annotated[TimeSpan, Depends(time_span)],
    step: Annotated[
        int | None, Query(description="in seconds, 300 or several times that; unset: by the range", examples=[1800])
    ] = None,
) -> Any:
    """Give the figures behind the charts: of the last day, unless said; both ends are moved out to whole steps."""
    runtime: Runtime = request.app.state.runtime
    now = runtime.now()
    until = min(span.until or now, now)
    since = span.since or max(until, now - KEPT_FOR) - _DAY
    length = None if step is None else timedelta(seconds=min(max(step, 0), _LONGEST_S))
    if (problem := problem_of(since, until, now, length)) is not None:
        raise refused("since" if step is None else "step", problem)
    found = await activity_of(runtime, since.astimezone(UTC), until.astimezone(UTC), length)
    return {
        "since": found.since.isoformat(timespec="seconds"),
        "until": found.until.isoformat(timespec="seconds"),
        "step_s": int(found.step.total_seconds()),
        "steps": [_as_json(one) for one in found.steps],
        "total": _as_json(found.total),
    }


def _as_json(one: ActivityStep) -> dict[str, Any]:
    return {
        "begin": one.begin.isoformat(timespec="seconds"),
        "received": one.received,
        "results": {new: one.outcomes.get(old, 0) for old, new in OUTCOMES.items()},
        "applied": one.applied,
        "failed": one.failed,
        "needs_review": one.needs_review,
        "p95_s": one.p95_s,
    }
