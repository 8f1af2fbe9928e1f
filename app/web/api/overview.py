"""The picture of both sides and the flow between them."""

from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, Field

from app.operations.overview import picture
from app.operations.queue import forecast_as_json
from app.runtime import Runtime
from app.sync.model import Side
from app.web.api.deprecated import NowCalled, with_aliases
from app.web.api.queue import Forecasts
from app.web.auth import api_router

router = api_router("queue")


@with_aliases
class Way(BaseModel):
    """What flows to one side; `lately`: confirmed writes by ten minutes, six hours, oldest first."""

    due: Annotated[int, NowCalled("pending")]
    oldest_due_age_s: float
    last_hour: int
    today: int
    lately: list[int]


@with_aliases
class Overview(BaseModel):
    """How everything stands."""

    at: str = Field(examples=["2026-03-05T14:00:00+00:00"])
    to: dict[str, Way]
    due: Annotated[int, NowCalled("pending")]
    oldest_due_age_s: float
    failed: int
    held: Annotated[int, NowCalled("needs_review")]
    dismissed: int
    rate_per_minute: int
    paused: list[str]
    heard_at: Annotated[dict[str, str | None], NowCalled("received_at")]
    deliveries_last_hour: dict[str, int]
    forecast: Forecasts


@router.get("/overview", response_model=Overview, summary="Both systems and the flow between them")
async def overview(request: Request) -> Any:
    """Give what the console's first page shows."""
    runtime: Runtime = request.app.state.runtime
    seen = await picture(runtime)
    return {
        "at": seen.at.isoformat(timespec="seconds"),
        "to": {
            side.value: {
                "due": way.due,
                "oldest_due_age_s": way.oldest_s,
                "last_hour": way.last_hour,
                "today": way.today,
                "lately": way.lately,
            }
            for side, way in seen.to.items()
        },
        "due": seen.due,
        "oldest_due_age_s": seen.oldest_s,
        "failed": seen.failed,
        "held": seen.held,
        "dismissed": seen.dismissed,
        "rate_per_minute": seen.per_minute,
        "paused": seen.paused,
        "heard_at": {side.value: at and at.isoformat(timespec="seconds") for side, at in seen.heard.items()},
        "deliveries_last_hour": {side.value: seen.came_in.get(side, 0) for side in Side},
        "forecast": forecast_as_json(seen.forecast),
    }
