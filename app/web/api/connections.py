"""How each side is connected, trying it out, and disconnecting."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from pydantic import BaseModel, Field

from app.errors import Misconfigured, VendorError
from app.operations import selfcheck
from app.operations.connections import connect_url, connection_states
from app.operations.connections import disconnect as disconnect_practice
from app.operations.health.model import report
from app.operations.sign_in import Caller
from app.runtime import Runtime
from app.sync.model import Side
from app.web.api.deprecated import NowCalled, with_aliases
from app.web.auth import api_router, operator

router = api_router("connections", "/connections")


class Connection(BaseModel):
    """One side. `expires_in_s`: of the access token, which is renewed long before.

    `connect_url`: where a person gives consent in a browser; null for a side that signs in by itself.
    """

    side: Side
    is_set_up: bool
    has_token: bool
    username: str | None = Field(examples=["drfixture"])
    practice: str | None = Field(examples=["700001"])
    scopes: list[str] = Field(examples=[["patients:read", "patients:write"]])
    expires_in_s: float | None
    connect_url: str | None = Field(examples=["https://sync.example.com/connect/drchrono"])


class Connections(BaseModel):
    """Both sides."""

    items: list[Connection]
    total: int
    next: None = None


@with_aliases
class Check(BaseModel):
    """One thing that was looked at, with what to do about it."""

    name: str = Field(examples=["drchrono token"])
    state: str = Field(examples=["ok"])
    says: Annotated[str, NowCalled("message")] = Field(examples=["is accepted"])
    fix: str | None


class Disconnected(BaseModel):
    """The tokens are forgotten here; `revoked`: DrChrono has confirmed that they are void."""

    revoked: bool


class Report(BaseModel):
    """What a trial found; `ok`: nothing is red."""

    ok: bool
    checks: list[Check]


@router.get("", response_model=Connections, summary="How each side is connected")
async def connections(request: Request) -> Any:
    """Give both connections as stored; no vendor is asked."""
    runtime: Runtime = request.app.state.runtime
    items = [
        {
            **{name: value for name, value in asdict(one).items() if name != "account"},
            "username": one.account and one.account.username,
            "practice": one.account and one.account.practice,
            "connect_url": connect_url(runtime) if one.side is Side.DRCHRONO else None,
        }
        for one in (await connection_states(runtime)).values()
    ]
    return {"items": items, "total": len(items), "next": None}


@router.post("/{side}/test", response_model=Report, summary="Test a connection")
async def test(request: Request, side: Side, _caller: Annotated[Caller, Depends(operator)]) -> Any:
    """Ask a side for what the service needs of it; a few calls, and nothing is changed."""
    return report(await selfcheck.try_out(request.app.state.runtime, side))


@router.post(
    "/drchrono/disconnect",
    response_model=Disconnected,
    responses={409: {"description": "DrChrono is not set up, or a refresh under way does not end: nothing is changed"}},
    summary="Forget the practice's tokens, and have DrChrono revoke them",
)
async def disconnect(request: Request, caller: Annotated[Caller, Depends(operator)]) -> Any:
    """Disconnect the practice; its deliveries are still kept, and nothing is read or written until it is connected."""
    try:
        return {"revoked": await disconnect_practice(request.app.state.runtime, caller.by)}
    except Misconfigured as error:
        raise HTTPException(409, str(error)) from None
    except VendorError as error:
        raise HTTPException(409, f"it was not done ({error.cause}): try again in a minute") from None
