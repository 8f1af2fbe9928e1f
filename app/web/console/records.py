"""The page of one record: how it stands, both sides field by field, and everything that happened to it."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.operations import history, records
from app.operations.audit import note_view
from app.operations.records import BothSides, RecordView
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.failure_causes import fix
from app.sync.model import Kind, RecordRef, Side
from app.web.pages import PageMessage, PageRefused, message_page, operator, page, reader, redirect

router = APIRouter(prefix="/records/{side}/{kind}/{record_id}")
Reader = Annotated[Caller, Depends(reader)]
Operator = Annotated[Caller, Depends(operator)]
_ID = re.compile(r"[0-9A-Za-z]{1,26}", re.ASCII)


@router.get("")
async def show(request: Request, caller: Reader, side: str, kind: str, record_id: str, before: str = "") -> Response:
    """Show what we know of a record, without a call."""
    runtime: Runtime = request.app.state.runtime
    one = await _known(runtime, caller, side, kind, record_id)
    await note_view(runtime, caller.by, Action.SHOW, records.about(one), (one.ref.id,))
    return await _page(runtime, caller, one, await records.unread(runtime, one), before=before)


@router.post("")
async def read(request: Request, caller: Reader, side: str, kind: str, record_id: str) -> Response:
    """Read both sides and show them, masked; it reads, so a viewer may."""
    runtime: Runtime = request.app.state.runtime
    one = await _known(runtime, caller, side, kind, record_id)
    both = await records.read(runtime, one)
    await note_view(runtime, caller.by, Action.SHOW, records.about(one), (one.ref.id,))
    return await _page(runtime, caller, one, both)


@router.post("/reveal")
async def reveal(request: Request, caller: Operator, side: str, kind: str, record_id: str) -> Response:
    """Read both sides and show their values; that is noted."""
    runtime: Runtime = request.app.state.runtime
    one = await _known(runtime, caller, side, kind, record_id)
    return await _page(runtime, caller, one, await records.reveal(runtime, one, caller.by), is_revealed=True)


@router.get("/reveal")
async def masked_again(caller: Reader, request: Request, side: str, kind: str, record_id: str) -> Response:
    """Send whoever asks again for what was revealed back to the record."""
    return redirect(_path(await _known(request.app.state.runtime, caller, side, kind, record_id)))


@router.post("/look")
async def look(request: Request, caller: Operator, side: str, kind: str, record_id: str) -> Response:
    """Let the record be looked at again now."""
    runtime: Runtime = request.app.state.runtime
    one = await _known(runtime, caller, side, kind, record_id)
    await records.look(runtime, one, caller.by)
    return redirect(_path(one))


async def _known(runtime: Runtime, caller: Caller, side: str, kind: str, record_id: str) -> RecordView:
    found = None
    if side in set(Side) and kind in set(Kind):
        found = await records.find(runtime, RecordRef(Side(side), Kind(kind), record_id))
    if found is None:
        text = "Nothing is known of that record: no delivery and no comparison has named it."
        ways = (("Patients", "/patients"), ("Appointments", "/appointments"))
        raise PageRefused(message_page(PageMessage("Not known", text, 404, ways), caller))
    return found


async def _page(
    runtime: Runtime, caller: Caller, one: RecordView, both: BothSides, *, before: str = "", is_revealed: bool = False
) -> Response:
    told = await history.history(runtime, one, before if _ID.fullmatch(before) else None)
    path = _path(one)
    return page(
        "record",
        caller,
        one=one,
        both=both,
        told=told,
        shown={item.id for item in told.items},
        path=path,
        is_revealed=is_revealed,
        fix=fix(one.cause) if one.cause else "",
        older=f"{path}?before={told.next}#history" if told.next else None,
    )


def _path(one: RecordView) -> str:
    ref = one.ref
    return f"/records/{ref.side.value}/{ref.kind.value}/{ref.id}"
