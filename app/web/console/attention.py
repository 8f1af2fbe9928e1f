"""The inbox: what needs a person, by error, with the records of each; retried, dismissed with a reason, restored."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Request
from fastapi.responses import Response

from app.operations import attention, failures, records
from app.operations.audit import note_view
from app.operations.failures import FEW, CauseGroup, Group
from app.operations.mapping import mapped_kinds
from app.operations.queue import has_workers
from app.operations.sign_in import Caller
from app.ports import Action
from app.runtime import Runtime
from app.sync.model import Kind, Side
from app.web.api.attention import csv_response
from app.web.pages import form, known, operator, own_path, page, pages_router, reader, redirect, redirect_after, ticked

router = pages_router()
Reader = Annotated[Caller, Depends(reader)]
Operator = Annotated[Caller, Depends(operator)]
PATH = "/attention"
_ON_A_PAGE = 50
_DIGITS = 9  # of a number that may be meant
_MANY = 500  # from so many on a button says how many it means
_LONGEST = 200  # of a reason, a note
_ID = re.compile(r"[0-9A-Za-z]{1,26}", re.ASCII)


class Tab(StrEnum):
    """Which part of the inbox is shown; what is dismissed stands in its own alone."""

    ALL = "all"
    FAILED = "failed"
    NEEDS_REVIEW = "needs_review"
    DISMISSED = "dismissed"

    @property
    def group(self) -> Group:
        """All that stands there."""
        is_held = {Tab.FAILED: False, Tab.NEEDS_REVIEW: True}.get(self)
        return Group(is_held=is_held, is_dismissed=self is Tab.DISMISSED)

    @classmethod
    def of(cls, group: Group) -> "Tab":
        """Give where a group stands."""
        if group.is_dismissed:
            return cls.DISMISSED
        return {None: cls.ALL, False: cls.FAILED, True: cls.NEEDS_REVIEW}[group.is_held]


def group_of(given: Mapping[str, str]) -> Group:
    """Give which records an address or a form means; what it says of no filter counts for nothing."""
    held = {"yes": Tab.NEEDS_REVIEW, "no": Tab.FAILED}.get(given.get("held", ""), Tab.ALL)
    state, side, kind = given.get("state", ""), given.get("side"), given.get("kind")
    tab = Tab(state) if state in set(Tab) else held
    return replace(
        tab.group,
        cause=_word(given.get("cause")) or None,
        side=Side(side) if side in set(Side) else None,
        kind=Kind(kind) if kind in set(Kind) else None,
        field=_word(given.get("field")) or None,
        fields=_word(given.get("fields")),
    )


def fields_of(group: Group) -> dict[str, str]:
    """Give what an address or a form carries of a group."""
    tab = Tab.of(group)
    told = {"state": "" if tab is Tab.ALL else tab, "cause": group.cause, "side": group.side, "kind": group.kind}
    given = {name: str(value) for name, value in {**told, "field": group.field}.items() if value}
    return given if group.fields is None else {**given, "fields": group.fields}


def address_of(group: Group, **more: str) -> str:
    """Give the address at which a group is shown."""
    given = {**fields_of(group), **more}
    return f"{PATH}?{urlencode(given)}" if given else PATH


def of_cause(one: CauseGroup, wanted: Group) -> Group:
    """Give the group of one error, of those that are shown."""
    side = Side(one.side) if one.side in set(Side) else None
    held = None if wanted.is_dismissed else one.is_held
    return replace(wanted, cause=one.cause, side=side, kind=Kind(one.kind), is_held=held, fields=",".join(one.fields))


def _word(given: str | None) -> str | None:
    return given and given.strip()[:512]


@router.get(PATH)
async def show(request: Request, caller: Reader, after: str = "") -> Response:
    """Show what needs attention by error, the largest group first, and the records where there are few or of one."""
    runtime: Runtime = request.app.state.runtime
    wanted = group_of(request.query_params)
    tab = Tab.of(wanted)
    groups = await failures.causes(runtime, wanted)
    total = sum(one.count for one in groups)
    shown = None
    is_short = total <= _ON_A_PAGE or len(groups) == 1
    if total and is_short and not caller.is_poll:  # a page that looks again by itself asks no vendor who they are
        shown = await attention.listed(runtime, wanted, _ON_A_PAGE, after)
    ids = attention.ids(shown) if shown else failures.ids(groups)
    counts = await attention.counts(runtime)
    await note_view(runtime, caller.by, Action.LIST, "failures", ids)
    causes = Counter[str]()
    for one in groups if wanted == tab.group else await failures.causes(runtime, tab.group):
        causes[one.cause] += one.count
    return page(
        "attention",
        caller,
        groups=groups,
        total=total,
        shown=shown,
        more=address_of(wanted, after=shown.next) if shown and shown.next else None,
        counts={
            Tab.ALL: counts.waiting,
            Tab.FAILED: counts.failed,
            Tab.NEEDS_REVIEW: counts.needs_review,
            Tab.DISMISSED: counts.dismissed,
        },
        settling=[one.id for one in shown.items if one.is_retrying or one.is_decided] if shown else [],
        wanted=wanted,
        tab=tab,
        tabs=list(Tab),
        causes=causes.most_common(),
        is_filtered=wanted != tab.group,
        sides=list(Side),
        kinds=mapped_kinds(runtime),
        few=FEW,
        many=_MANY,
        fields_of=fields_of,
        address_of=address_of,
        of_cause=of_cause,
        vendor_pages=partial(records.vendor_pages, runtime),
        is_worked_on=await has_workers(runtime),
    )


@router.get(f"{PATH}/count")
async def count(caller: Reader) -> Response:
    """Give the number that stands in the menu, for a page that looks again by itself."""
    return page("attention_count", caller)


@router.get(f"{PATH}/status")
async def status(request: Request, caller: Reader) -> Response:
    """Give how some of the records stand now, without a name, for a page that looks again by itself."""
    runtime: Runtime = request.app.state.runtime
    ids = [one for one in request.query_params.getlist("id")[:_ON_A_PAGE] if _ID.fullmatch(one)]
    return page("attention_status", caller, states=await attention.settled(runtime, ids))


@router.get(f"{PATH}/export")
async def export(request: Request, caller: Reader) -> Response:
    """Give the records of a group as CSV; that is noted."""
    return await csv_response(request, caller, group_of(request.query_params))


@router.post(PATH + "/{link_id}/note")
async def note(request: Request, caller: Operator, link_id: str) -> Response:
    """Keep a note on a record, for whoever is signed in; an empty one takes away what there is."""
    given = await form(request)
    is_kept = await attention.note(request.app.state.runtime, link_id, given.get("note", ""), caller.by)
    text = "The note is saved." if is_kept else "The note was not saved: the record does not need attention any more."
    return redirect_after(request, _back(given), text)


@router.post(PATH + "/{link_id}/message")
async def message(request: Request, caller: Operator, link_id: str) -> Response:
    """Show what the vendor said of a failure, our values struck out; that is noted."""
    found = await attention.message(request.app.state.runtime, link_id, caller.by)
    return page("vendor_message", caller, found=found, link_id=link_id if _ID.fullmatch(link_id) else "")


@router.get(f"{PATH}/retry", dependencies=[Depends(reader)])
@router.get(f"{PATH}/dismiss", dependencies=[Depends(reader)])
@router.get(f"{PATH}/restore", dependencies=[Depends(reader)])
async def reloaded() -> Response:
    """Send whoever loads the address of an act again back to the list."""
    return redirect(PATH)


@router.post(f"{PATH}/retry")
async def retry(request: Request, caller: Operator) -> Response:
    """Retry some at once: it is harmless, and a few first is what is advised."""
    runtime: Runtime = request.app.state.runtime
    given, group = await form(request), await _meant(request)
    if group is None:
        return _nothing_ticked(request, given)
    done = await failures.try_again(runtime, group, FEW if given.get("few") else None, caller.by)
    text = f"Retrying {_records(done)}. What succeeds leaves this list." if done else "None of them needs a retry now."
    return redirect_after(request, _back(given), text)


@router.post(f"{PATH}/dismiss")
async def dismiss(request: Request, caller: Operator) -> Response:
    """Dismiss some, once their number was seen and a reason was given."""
    runtime: Runtime = request.app.state.runtime
    given, group = await form(request), await _meant(request)
    if group is None:
        return _nothing_ticked(request, given)
    number, reason = await failures.number_of(runtime, group), given.get("reason", "").strip()
    complaint = _complaint(given, number, reason)
    if complaint is not None:
        return page(
            "dismiss",
            caller,
            number=number,
            about=await failures.causes(runtime, group),
            fields=fields_of(group),
            ids=sorted(group.ids or ()),
            back=_back(given),
            reason=reason,
            complaint=complaint,
        )
    done = await failures.dismiss(runtime, group, None, caller.by, reason)
    ways = (("Show dismissed", address_of(Tab.DISMISSED.group)),)
    text = f"Dismissed {_records(done)}. Both systems stay as they are until a value changes."
    return redirect_after(request, _back(given), text, *ways)


def _complaint(given: Mapping[str, str], number: int, reason: str) -> str | None:
    """Say what is missing before anything is dismissed: empty where it was only asked for, None where nothing is."""
    if "reason" not in given:
        return ""
    if not reason or len(reason) > _LONGEST:
        return f"Say why, in {_LONGEST} characters at most: whoever looks at it later sees it."
    expected = given.get("expected", "")
    was_seen = expected.isascii() and expected.isdigit() and len(expected) <= _DIGITS
    if was_seen and failures.is_as_seen(int(expected), number):
        return None
    seen = f"There were {int(expected):,} when you looked, and there are" if was_seen else "There are"
    return f"{seen} {number:,} now. Nothing was dismissed yet."


@router.post(f"{PATH}/restore")
async def restore(request: Request, caller: Operator) -> Response:
    """Have dismissed records need attention again; each is retried."""
    runtime: Runtime = request.app.state.runtime
    given, group = await form(request), await _meant(request)
    if group is None:
        return _nothing_ticked(request, given)
    done = await failures.restore(runtime, replace(group, is_held=None, is_dismissed=True), caller.by)
    text = f"Restored {_records(done)}; each is retried." if done else "None of them is dismissed any more."
    return redirect_after(request, _back(given), text, ("Needs attention", PATH))


async def _meant(request: Request) -> Group | None:
    """Give which records a form means: those that were ticked, where it asks for that; None where none was."""
    given = await form(request)
    ids = frozenset(one for one in await ticked(request, "id") if _ID.fullmatch(one))
    if "ticked" in given and not ids:
        return None
    group = group_of(given)
    return replace(group, ids=ids) if ids else group


def _nothing_ticked(request: Request, given: Mapping[str, str]) -> Response:
    return redirect_after(request, _back(given), "Nothing was done: tick the records that you mean.")


def _back(given: Mapping[str, str]) -> str:
    """Give the page of ours that an act came from."""
    path, _, query = given.get("back", PATH).partition("?")
    return f"{own_path(path)}?{urlencode(parse_qsl(query))}" if query else own_path(path)


def _records(number: int) -> str:
    return "1 record" if number == 1 else f"{number:,} records"


@router.get("/failures", dependencies=[Depends(known)])
@router.get("/held", dependencies=[Depends(known)])
async def moved(request: Request) -> Response:
    """Send whoever comes by an earlier address to the inbox, with the filter that it names."""
    held = {"state": Tab.NEEDS_REVIEW.value} if request.url.path == "/held" else {}
    return redirect(address_of(group_of({**request.query_params, **held})))
