"""The page of one record: how it stands, both sides field by field, and everything that happened to it."""

import re
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import attention, documents, history, records
from app.operations.attention import AttentionItem
from app.operations.audit import note_view
from app.operations.documents import DocumentFacts, PatientDocument, PatientDocuments
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


@dataclass(frozen=True, slots=True)
class _ListPlaces:
    """Where the page's lists go on, by the last id of the page before; what is none counts for nothing."""

    before: str = ""
    documents_before: str = ""

    @property
    def history(self) -> str | None:
        """Where the history does."""
        return self.before if _ID.fullmatch(self.before) else None

    @property
    def documents(self) -> str | None:
        """Where the documents do."""
        return self.documents_before if _ID.fullmatch(self.documents_before) else None


_FIRST = _ListPlaces()
_DOCUMENTS_ON_A_PAGE = 20  # both systems and the history stand below them


@router.get("")
async def show(
    request: Request, caller: Reader, side: str, kind: str, record_id: str, places: Annotated[_ListPlaces, Depends()]
) -> Response:
    """Show what we know of a record, without a call but for names; of a patient, the documents are listed anew."""
    runtime: Runtime = request.app.state.runtime
    one = await _known(runtime, caller, side, kind, record_id)
    await note_view(runtime, caller.by, Action.SHOW, records.about(one), (one.ref.id,))
    await records.want_documents(runtime, one)
    return await _page(request, caller, one, await records.unread(runtime, one), places)


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
    places: _ListPlaces = _FIRST,
    *,
    is_revealed: bool = False,
) -> Response:
    """Give the page; a script that asks for what both systems hold needs no name again."""
    runtime: Runtime = request.app.state.runtime
    told = await history.history(runtime, one, places.history)
    who, silence = (NOBODY, None) if is_of_script(request) else await name_of(runtime, one)
    items = await attention.of_links(runtime, [one.id])
    item = replace(items[one.id], name=who.name, born=who.born) if items else None
    filed = None
    if documents.has_documents(runtime, one) and not is_of_script(request):
        filed = await _documents(runtime, caller, one, places.documents)
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
        pages=_vendor_pages(runtime, one, who.document),
        document=who.document,
        filed=filed,
        settling=[] if filed is None else filed.settling,
        is_revealed=is_revealed,
        is_polled=False,
        fix=fix(one.cause) if one.cause else "",
        older=f"{path}?before={told.next}#history" if told.next else None,
    )


def _vendor_pages(runtime: Runtime, one: RecordView, document: DocumentFacts | None) -> dict[Side, str]:
    return records.vendor_pages(runtime, one.link.kind, {side: one.link.id_on(side) for side in Side}, document)


@dataclass(frozen=True, slots=True)
class _Filed:
    """A patient's documents as their page shows them: each with what is wrong with it, and its pages elsewhere."""

    shown: PatientDocuments
    rows: list[tuple[PatientDocument, AttentionItem | None, dict[Side, str]]]

    @property
    def settling(self) -> list[str]:
        """Those that failed and are under way again, by link."""
        items = [item for _, item, _ in self.rows if item is not None]
        return [item.id for item in items if item.is_retrying or item.is_decided]


async def _documents(runtime: Runtime, caller: Caller, one: RecordView, before: str | None) -> _Filed:
    """Give a patient's documents; that they are shown is noted."""
    shown = await documents.of_patient(runtime, one, before, _DOCUMENTS_ON_A_PAGE)
    await note_view(runtime, caller.by, Action.LIST, documents.about(one), documents.ids(shown))
    items = await attention.of_links(runtime, [each.record.id for each in shown.items])
    rows = []
    for each in shown.items:
        item = items.get(each.record.id)
        named = None if item is None else replace(item, name=each.title)
        rows.append((each, named, _vendor_pages(runtime, each.record, each.facts)))
    return _Filed(shown, rows)


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
