"""How each side is connected, and trying it out."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from app.checks.findings import report
from app.operating import connecting
from app.runtime import Runtime
from app.sync.records import Side
from app.web.access import Caller, operator

router = APIRouter(prefix="/connections", tags=["connections"])


class Connection(BaseModel):
    """One side. `expires_in_s`: of the access token, which is renewed long before."""

    side: Side
    is_set_up: bool
    has_token: bool
    username: str | None = Field(examples=["drfixture"])
    practice: str | None = Field(examples=["700001"])
    scopes: list[str] = Field(examples=[["patients:read", "patients:write"]])
    expires_in_s: float | None


class Connections(BaseModel):
    """Both sides."""

    items: list[Connection]
    total: int
    next: None = None


class Check(BaseModel):
    """One thing that was looked at, with what to do about it."""

    name: str = Field(examples=["drchrono token"])
    state: str = Field(examples=["ok"])
    says: str = Field(examples=["is accepted"])
    fix: str | None


class Report(BaseModel):
    """What a trial found; `ok`: nothing is red."""

    ok: bool
    checks: list[Check]


@router.get("", response_model=Connections, summary="How each side is connected")
async def connections(request: Request) -> Any:
    """Give both sides as stored; no vendor is asked."""
    run: Runtime = request.app.state.run
    items = [
        {
            **{name: value for name, value in asdict(one).items() if name != "account"},
            "username": one.account and one.account.username,
            "practice": one.account and one.account.practice,
        }
        for one in (await connecting.connected(run)).values()
    ]
    return {"items": items, "total": len(items), "next": None}


@router.post("/{side}/test", response_model=Report, summary="Try a side out")
async def test(request: Request, side: Side, _caller: Annotated[Caller, Depends(operator)]) -> Any:
    """Ask a side for what the service needs of it; a few calls, and nothing is changed."""
    return report(await connecting.tried(request.app.state.run, side))
