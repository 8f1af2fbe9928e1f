"""Notices: what people were told lately, and a test of the channels."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from app.operations import notices
from app.operations.notices import DeliveryState, ToldNotice
from app.operations.sign_in import Caller
from app.runtime import Runtime
from app.sync.notices import NoticeEvent, NoticeState
from app.web.auth import api_router, operator

router = api_router("notices", "/notices")
MOST = 100


class NoticeLine(BaseModel):
    """One thing that a notice tells; `path`: the page that shows it."""

    event: NoticeEvent
    state: NoticeState
    text: str = Field(examples=["3 patients failed: DrChrono needs a first name"])
    advice: str
    path: str = Field(examples=["/attention?cause=cannot_be_empty&kind=patient&side=salesforce"])


class ChannelDelivery(BaseModel):
    """What became of a notice by one channel; `next_at`: when it is tried again."""

    channel: str = Field(examples=["email"])
    state: DeliveryState
    attempts: int
    sent_at: datetime | None
    next_at: datetime | None
    reason: str = Field(examples=["no answer came within 10 s"])


class SentItem(BaseModel):
    """A notice, and what became of it."""

    id: str
    made_at: datetime
    title: str
    items: list[NoticeLine]
    deliveries: list[ChannelDelivery]


class Notices(BaseModel):
    """A page of notices, newest first."""

    items: list[SentItem]
    total: int
    next: str | None


class ChannelResult(BaseModel):
    """What became of a test by one channel."""

    channel: str = Field(examples=["slack"])
    sent: bool
    reason: str


class TestResults(BaseModel):
    """Every channel that is set up; `ok`: there is one, and all of them work."""

    ok: bool
    channels: list[ChannelResult]


@router.get("", response_model=Notices, summary="What people were told lately")
async def told(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 20,
    before: Annotated[str | None, Query(max_length=26, description="the `next` of the page before")] = None,
) -> Any:
    """Give what people were told, newest first, with its result on each channel."""
    runtime: Runtime = request.app.state.runtime
    page = await notices.told_lately(runtime, limit, before)
    return {"items": [_as_json(one) for one in page.items], "total": page.total, "next": page.next}


def _as_json(one: ToldNotice) -> dict[str, Any]:
    lines = [
        {"event": item.event, "state": item.state, "text": item.what, "advice": item.advice, "path": item.path}
        for item in one.items
    ]
    deliveries = [
        {
            "channel": each.channel,
            "state": each.state,
            "attempts": each.attempts,
            "sent_at": each.sent_at,
            "next_at": each.next_at,
            "reason": each.reason,
        }
        for each in one.deliveries
    ]
    return {"id": one.id, "made_at": one.made_at, "title": one.title, "items": lines, "deliveries": deliveries}


@router.post("/test", response_model=TestResults, summary="Send a test notice")
async def test(request: Request, caller: Annotated[Caller, Depends(operator)]) -> Any:
    """Send a test by every channel, and say of each whether it was sent, or why not."""
    results = await notices.send_test(request.app.state.runtime, caller.by)
    channels = [{"channel": one.channel, "sent": one.is_sent, "reason": one.reason} for one in results]
    return {"ok": bool(results) and all(one.is_sent for one in results), "channels": channels}
