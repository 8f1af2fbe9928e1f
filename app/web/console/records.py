"""The page of one record: how it stands, both sides field by field, and everything that happened to it."""

import re
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import attention, history, records
from app.operations.attention import AttentionItem
from app.operations.audit import note_view
from app.operations.failures import Group
from app.operations.record_names import NOBODY, name_of
from app.operations.records import BothSides, Field, RecordView
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.diff import Agreement
from app.sync.failure_causes import fix
from app.sync.model import Kind, RecordRef, Side
from app.web.pages import (
    PageMessage,
    PageRefused,
    is_of_script,
    message_page,
    operator,
    page,
    pages_router,
    reader,
    redirect,
    redirect_after,
)

router = pages_router("/records/{side}/{kind}/{record_id}")
Reader = Annotated[Caller, Depends(reader)]
Operator = Annotated[Caller, Depends(operator)]
_ID = re.compile(r"[0-9A-Za-z]{1,26}", re.ASCII)


@router.get("")
async def show(request: Request, caller: Reader, side: str, kind: str, record_id: str, before: str = "") -> Response:
    """Show what we know of a record, without a call."""
    runtime: Runtime = request.app.state.runtime
    one = await _known(runtime, caller, side, kind, record_id)
    await note_view(runtime, caller.by, Action.SHOW, records.about(one), (one.ref.id,))
    await records.want_documents(runtime, one)
    return await _page(request, caller, one, await records.unread(runtime, one), before=before)


@router.post("")
async def read(request: Request, caller: Reader, side: str, kind: str, record_id: str) -> Response:
    """Read both sides and show them, masked; it reads, so a viewer may."""
    runtime: Runtime = request.app.state.runtime
    one = await _known(runtime, caller, side, kind, record_id)
    both = await records.read(runtime, one)
    await note_view(runtime, caller.by, Action.SHOW, records.about(one), (one.ref.id,))
    return await _page(request, caller, one, both)


@router.post("/reveal")
async def reveal(request: Request, caller: Operator, side: str, kind: str, record_id: str) -> Response:
    """Read both sides and show their values; that is noted."""
    runtime: Runtime = request.app.state.runtime
    one = await _known(runtime, caller, side, kind, record_id)
    return await _page(request, caller, one, await records.reveal(runtime, one, caller.by), is_revealed=True)


@router.get("/reveal")
async def masked_again(caller: Reader, request: Request, side: str, kind: str, record_id: str) -> Response:
    """Send whoever asks again for what was revealed back to the record."""
    return redirect(path_of(await _known(request.app.state.runtime, caller, side, kind, record_id)))


@router.post("/look")
async def look(request: Request, caller: Operator, side: str, kind: str, record_id: str) -> Response:
    """Let the record be looked at again now."""
    runtime: Runtime = request.app.state.runtime
    one = await _known(runtime, caller, side, kind, record_id)
    await records.look(runtime, one, caller.by)
    return redirect_after(request, path_of(one), "It is checked again in a moment: the status changes by itself.")


@router.get("/status")
async def status(request: Request, caller: Reader, side: str, kind: str, record_id: str) -> Response:
    """Give how the record stands now, for its page that looks again by itself; no vendor is asked."""
    runtime: Runtime = request.app.state.runtime
    one = await _known(runtime, caller, side, kind, record_id)
    return page("record_status", caller, one=one, path=path_of(one), is_polled=one.due_at is None)


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
    request: Request,
    caller: Caller,
    one: RecordView,
    both: BothSides,
    *,
    before: str = "",
    is_revealed: bool = False,
) -> Response:
    """Give the page; a script that asks for what both systems hold needs no name again."""
    runtime: Runtime = request.app.state.runtime
    told = await history.history(runtime, one, before if _ID.fullmatch(before) else None)
    who, silence = (NOBODY, None) if is_of_script(request) else await name_of(runtime, one)
    waiting = await attention.listed(runtime, Group(ids=frozenset({one.id}), is_dismissed=None), 1, names=False)
    item = replace(waiting.items[0], name=who.name, born=who.born) if waiting.items else None
    path = path_of(one)
    return page(
        "record",
        caller,
        one=one,
        item=item,
        called=who.name,
        born=who.born,
        silence=silence,
        both=both,
        fields=_arranged(both, item),
        told=told,
        shown={event.id for event in told.items},
        path=path,
        pages=records.vendor_pages(runtime, one.link.kind, {side: one.link.id_on(side) for side in Side}),
        is_revealed=is_revealed,
        is_polled=False,
        fix=fix(one.cause) if one.cause else "",
        older=f"{path}?before={told.next}#history" if told.next else None,
    )


@dataclass(frozen=True, slots=True)
class _Arranged:
    """A record's fields: first those that a person looks for, and the rest folded; `failing`: names of the first."""

    first: list[Field]
    rest: list[Field]
    failing: frozenset[str]


def _arranged(both: BothSides, item: AttentionItem | None) -> _Arranged:
    labels = item.labels if item else ()
    failing = frozenset(each.seen.name for each in both.fields if each.seen.name.replace("_", " ") in labels)
    first = [each for each in both.fields if each.seen.name in failing]
    rest = [each for each in both.fields if each.seen.name not in failing]
    if both.answers:
        first += [each for each in rest if each.seen.agreement is not Agreement.EQUAL]
        rest = [each for each in rest if each.seen.agreement is Agreement.EQUAL]
    return _Arranged(first, rest, failing)


def path_of(one: RecordView) -> str:
    """Give the address of a record's page."""
    ref = one.ref
    return f"/records/{ref.side.value}/{ref.kind.value}/{ref.id}"
