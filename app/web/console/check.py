"""The page of the check: begun by an operator, in the background; everybody sees the latest one, line by line."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations.health.model import MARKS, CheckState, Finding
from app.operations.selfcheck import CheckRun, CheckRuns
from app.operations.sign_in import Caller
from app.web.pages import operator, page, pages_router, reader, redirect

router = pages_router("/check")


@router.get("")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Response:
    """Show the latest check, and how far it is."""
    checks: CheckRuns = request.app.state.checks
    run = checks.latest
    findings = run.findings if run else ()
    counts = {state: sum(one.state is state for one in findings) for state in CheckState}
    groups: dict[str, list[Finding]] = {}
    for one in findings:
        groups.setdefault(one.part, []).append(one)
    text = _as_text(run) if run else ""
    return page("check", caller, run=run, groups=groups, counts=counts, text=text, State=CheckState)


@router.post("")
async def begin(request: Request, caller: Annotated[Caller, Depends(operator)]) -> Response:
    """Begin a check, unless one is under way, and show it."""
    checks: CheckRuns = request.app.state.checks
    checks.begin(caller.by)
    return redirect("/check")


def _as_text(run: CheckRun) -> str:
    """Give a check as text, for a ticket: the same lines as at a terminal."""
    lines = [f"Chronobridge check, begun {run.began_at:%Y-%m-%d %H:%M:%S} UTC"]
    for one in run.findings:
        lines.append(f"{MARKS[one.state]} {one.name}: {one.says}")
        lines += [f"  → {one.fix}"] if one.fix else []
    return "\n".join(lines)
