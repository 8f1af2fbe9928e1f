"""The page of both connections: who consented, for what, until when; connect, try out, disconnect."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import connections, notices, selfcheck
from app.operations.health.model import Finding
from app.operations.sign_in import Caller
from app.runtime import Runtime
from app.sync.model import Side
from app.web.pages import operator, page, pages_router, reader

router = pages_router("/connections")


@router.get("")
async def show(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Response:
    """Show who is connected, and the ways to change it."""
    return await _shown(request, caller)


@router.post("/{side}/test")
async def try_out(request: Request, side: Side, caller: Annotated[Caller, Depends(operator)]) -> Response:
    """Try a side out, and show what was found."""
    return await _shown(request, caller, side, await selfcheck.try_out(request.app.state.runtime, side))


async def _shown(
    request: Request, caller: Caller, tried: Side | None = None, findings: Sequence[Finding] = ()
) -> Response:
    runtime: Runtime = request.app.state.runtime
    health: Any = request.app.state.health
    states = {side: await health.side(side) for side in Side}
    found = await connections.connection_states(runtime)
    channels, told = notices.channels_in_words(runtime), health.parts.get("notices")
    return page(
        "connections",
        caller,
        found=found,
        states=states,
        tried=tried,
        findings=findings,
        channels=channels,
        told=told,
        Side=Side,
    )
