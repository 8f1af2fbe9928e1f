"""Who did what."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import BaseModel, Field

from app.operations import audit
from app.ports import Action
from app.runtime import Runtime
from app.web.auth import api_router

router = api_router("audit")


class Noted(BaseModel):
    """One act of a person or a script."""

    id: str
    at: str = Field(examples=["2026-03-05T14:00:00+00:00"])
    role: str = Field(examples=["operator"])
    who: str = Field(examples=["session 1f2e3d4c"])
    name: str = Field(description="the account; empty where nobody was known", examples=["anna"])
    action: Action
    about: str = Field(examples=["live"])
    records: int
    reason: str
    ids: list[str] = Field(description="the records or rows that were shown", examples=[["5070101"]])


class Audit(BaseModel):
    """Acts, newest first; `next` is what `before` takes to go on."""

    items: list[Noted]
    total: int
    next: str | None


@router.get("/audit", response_model=Audit, summary="Who did what, newest first")
async def acts(
    request: Request,
    action: Action | None = None,
    before: Annotated[str | None, Query(max_length=26, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Any:
    """Give what was done, by whom, to what and why; nothing of it is ever changed; it goes by age alone."""
    runtime: Runtime = request.app.state.runtime
    found = await audit.acts(runtime, limit, action, before)
    items = [{**asdict(one), "at": one.at.isoformat(timespec="seconds")} for one in found.items]
    return {"items": items, "total": found.total, "next": found.next}
