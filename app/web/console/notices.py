"""The page of notices: what people were told lately, how it went by each channel, and sending a test."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.responses import Response

from app.operations import notices
from app.operations.notices import ChannelTest
from app.operations.sign_in import Caller
from app.web.pages import operator, page, pages_router, reader

router = pages_router("/notices")
_SHOWN = 20


@router.get("")
async def show(
    request: Request,
    caller: Annotated[Caller, Depends(reader)],
    before: Annotated[str | None, Query(max_length=26)] = None,
) -> Response:
    """Show what people were told, newest first."""
    return await _shown(request, caller, before)


@router.post("/test")
async def test(request: Request, caller: Annotated[Caller, Depends(operator)]) -> Response:
    """Send a test by every channel, and show what became of it."""
    return await _shown(request, caller, None, await notices.send_test(request.app.state.runtime, caller.by))


async def _shown(
    request: Request, caller: Caller, before: str | None, tests: Sequence[ChannelTest] | None = None
) -> Response:
    runtime = request.app.state.runtime
    found = await notices.told_lately(runtime, _SHOWN, before)
    older = f"/notices?before={found.next}" if found.next else None
    channels, labels = notices.channels_in_words(runtime), notices.CHANNEL_LABELS
    return page("notices", caller, found=found, older=older, channels=channels, labels=labels, tests=tests)
