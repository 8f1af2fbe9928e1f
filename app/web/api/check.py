"""The check of everything: begun by an operator, read by everybody."""

from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel, Field

from app.operations.health.model import report
from app.operations.selfcheck import CheckRuns
from app.operations.sign_in import Caller
from app.web.auth import api_router, operator

router = api_router("check", "/check")


class CheckedThing(BaseModel):
    """One thing that was looked at, with what to do about it. `part`: what of the whole it belongs to."""

    part: str = Field(examples=["Salesforce"])
    name: str = Field(examples=["salesforce token"])
    state: str = Field(examples=["ok"], description="ok, not_yet, warning or red")
    says: str = Field(examples=["given, by client credentials"])
    fix: str | None


class CheckReport(BaseModel):
    """The latest check of this web process.

    ok        nothing is red; null before there has been one, and while one is under way
    ended_at  null while it is under way
    """

    ok: bool | None
    running: bool
    by: str | None = Field(examples=["maria"])
    began_at: str | None = Field(examples=["2026-03-05T14:00:00+00:00"])
    ended_at: str | None
    checks: list[CheckedThing]


@router.get("", response_model=CheckReport, summary="The latest check")
async def latest(request: Request) -> Any:
    """Give what the latest check of this web process found; nothing is looked at for it."""
    return _shown(request.app.state.checks)


@router.post("", response_model=CheckReport, summary="Check everything, as `chronobridge check` does")
async def check(request: Request, caller: Annotated[Caller, Depends(operator)]) -> Any:
    """Check everything, and answer at its end, in two minutes at most; one that is under way is joined.

    It costs a few calls at each vendor, and changes nothing.
    """
    checks: CheckRuns = request.app.state.checks
    checks.begin(caller.by)
    await checks.end()
    return _shown(checks)


def _shown(checks: CheckRuns) -> dict[str, Any]:
    run = checks.latest
    if run is None:
        return {"ok": None, "running": False, "by": None, "began_at": None, "ended_at": None, "checks": []}
    told = report(run.findings)
    return {
        "ok": told["ok"] if run.ended_at else None,
        "running": run.ended_at is None,
        "by": run.by,
        "began_at": run.began_at.isoformat(timespec="seconds"),
        "ended_at": run.ended_at and run.ended_at.isoformat(timespec="seconds"),
        "checks": told["checks"],
    }
