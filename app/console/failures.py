"""The page of failures: by cause, with the fix in words; try a few, then all; let go of what is not wanted."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.operating import failures
from app.operating.failures import FEW, named
from app.runtime import Runtime
from app.store import failing
from app.store.failing import Group
from app.sync.records import Kind, Side
from app.web.access import Caller
from app.web.pages import form, operator, page, reader, see

router = APIRouter(prefix="/failures")
Operator = Annotated[Caller, Depends(operator)]


def _group(given: dict[str, str]) -> Group:
    side, kind = given.get("side"), given.get("kind")
    return Group(
        given.get("cause") or None,
        Side(side) if side in set(Side) else None,
        Kind(kind) if kind in set(Kind) else None,
        is_held=None,
    )


@router.get("")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Response:
    """Show every cause, the largest first."""
    found = await failures.causes(request.app.state.run)
    return page("failures", caller, found=found, few=FEW)


@router.post("/retry")
async def retry(request: Request, caller: Operator) -> Response:
    """Try a few at once; all of them only after their number was seen and meant."""
    run: Runtime = request.app.state.run
    given = await form(request)
    group = _group(given)
    if given.get("few"):
        await failures.try_again(run, group, FEW, caller.by)
        return see("/failures")
    if (number := await failing.count(run.database, group)) and given.get("expected") != str(number):
        return _asked(caller, group, number, "retry")
    await failures.try_again(run, group, None, caller.by)
    return see("/failures")


@router.post("/discard")
async def discard(request: Request, caller: Operator) -> Response:
    """Let all of a group go, after their number was seen and meant."""
    run: Runtime = request.app.state.run
    given = await form(request)
    group = _group(given)
    if (number := await failing.count(run.database, group)) and given.get("expected") != str(number):
        return _asked(caller, group, number, "discard")
    await failures.let_go(run, group, caller.by)
    return see("/failures")


def _asked(caller: Caller, group: Group, number: int, act: str) -> Response:
    fields = {"cause": group.cause, "side": group.side, "kind": group.kind}
    given = {name: str(value) for name, value in fields.items() if value}
    return page("failures_sure", caller, number=number, about=named(group), fields=given, act=act)
