"""An operator joins the practice by OAuth: sent to DrChrono's consent page, received back, told what came of it.

The state that goes out is signed, works once and not for long, and only for the browser that holds the cookie set with
it. Every way it can end has a page of its own; a page never shows a token, and nothing is stored that is not ours.
"""

import re
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from app.errors import OutcomeUnknown, Unauthorized, VendorError
from app.log import log
from app.operations import connections
from app.operations.connections import CONNECT, NothingWaits, NowConnected, OtherPractice, Unidentified, WouldReplace
from app.operations.sign_in import Caller
from app.ports import By
from app.runtime import Runtime
from app.sync.model import Side
from app.web.auth import caller_of, cookie_name
from app.web.pages import PageMessage, Question, is_confirmed, message_page, operator, page, pages_router, redirect

_COOKIE = "chronobridge_consent"
_AGAIN = (("Start again", CONNECT), ("Connections", "/connections"))
_NOT_CONFIRMED = (
    "DrChrono did not confirm that it revoked the tokens: sign in there and remove this application's access."
)
_DISCONNECT = Question(
    "Disconnect DrChrono?",
    (
        "Nothing is read from DrChrono or written to it any more, for the whole practice, until somebody connects.",
        "Changes that are made meanwhile are carried over then. Whoever connects signs in to DrChrono for it.",
    ),
    "/disconnect/drchrono",
    "Disconnect DrChrono",
    "/connections",
)
_ERROR_NAME = re.compile(r"[a-z_]{1,40}")

router = pages_router()
Operator = Annotated[Caller, Depends(operator)]


@router.get(CONNECT, dependencies=[Depends(operator)])
async def send_away(request: Request) -> Response:
    """Send the browser to DrChrono's consent page, with a state that only it can bring back."""
    runtime: Runtime = request.app.state.runtime
    address, browser = await connections.begin_consent(runtime)
    answer = redirect(address)
    answer.set_cookie(
        cookie_name(request, _COOKIE),
        browser,
        max_age=int(connections.CONSENT_LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=runtime.settings.is_secure,
    )
    return answer


@router.get(connections.CALLBACK)
async def receive(request: Request) -> Response:
    """Take what DrChrono sent the browser back with; the cookie says that it is the one we sent away."""
    runtime: Runtime = request.app.state.runtime
    answer = await _received(runtime, request, await caller_of(request))
    answer.delete_cookie(
        cookie_name(request, _COOKIE), httponly=True, samesite="lax", secure=runtime.settings.is_secure
    )
    return answer


async def _received(runtime: Runtime, request: Request, caller: Caller | None) -> Response:
    asked = request.query_params
    if not await connections.accept_state(
        runtime, asked.get("state", ""), request.cookies.get(cookie_name(request, _COOKIE), "")
    ):
        text = (
            "This answer does not belong to a request from this browser, was used already, or took longer than "
            "10 minutes. Nothing was stored."
        )
        return message_page(PageMessage("This consent cannot be used", text, 400, _AGAIN), caller)
    if complaint := asked.get("error"):
        return message_page(_not_given(complaint), caller)
    if not (code := asked.get("code")):
        return message_page(PageMessage("DrChrono sent no code", "Nothing was stored.", 400, _AGAIN), caller)
    try:
        await connections.exchange_code(runtime, code)
    except VendorError as error:
        log.warning("consent.failed", side=Side.DRCHRONO.value, code=error.cause, status=error.status)
        return message_page(_no_pair(error), caller)
    return _told(await connections.settle(runtime, _by(caller), may_replace=False), caller)


@router.post(f"{CONNECT}/ask")
async def ask_again(request: Request, caller: Operator) -> Response:
    """Ask DrChrono once more whose the waiting pair is."""
    runtime: Runtime = request.app.state.runtime
    return _told(await connections.settle(runtime, _by(caller), may_replace=False), caller)


@router.post(f"{CONNECT}/confirm")
async def confirm(request: Request, caller: Operator) -> Response:
    """Let the waiting pair take another user's place."""
    runtime: Runtime = request.app.state.runtime
    return _told(await connections.settle(runtime, _by(caller), may_replace=True), caller)


@router.post(f"{CONNECT}/decline")
async def decline(request: Request, caller: Operator) -> Response:
    """Leave everything as it was."""
    is_revoked = await connections.decline(request.app.state.runtime)
    text = "The new consent was given back to DrChrono." if is_revoked else f"It is forgotten here. {_NOT_CONFIRMED}"
    return message_page(PageMessage("Nothing was changed", text, 200, _AGAIN), caller)


@router.post("/disconnect/drchrono")
async def disconnect(request: Request, caller: Operator) -> Response:
    """Forget the practice's tokens and have DrChrono revoke them, once that is meant."""
    runtime: Runtime = request.app.state.runtime
    if not await is_confirmed(request, caller):
        return page("sure", caller, asked=_DISCONNECT)
    is_revoked = await connections.disconnect(runtime, caller.by)
    text = "DrChrono's deliveries are still kept; nothing is read from it or written to it until you connect again."
    text = text if is_revoked else f"{text} {_NOT_CONFIRMED}"
    return message_page(PageMessage("Disconnected", text, 200, _AGAIN), caller)


def _by(caller: Caller | None) -> By:
    """Give who consents; a script began it with a bearer where its browser has no session."""
    return caller.by if caller else By("operator", "consent")


def _told(settled: connections.Settlement, caller: Caller | None) -> Response:
    match settled:
        case NowConnected(account):
            return page("connected", caller, account=account)
        case WouldReplace(present, new):
            return page("replace", caller, present=present, new=new)
        case OtherPractice(ours, theirs):
            text = (
                f"This consent is of practice {theirs}, but this database belongs to practice {ours}: its links would "
                "point to other people. Nothing was stored. Consent as a user of the practice, or give the other "
                "practice a database of its own."
            )
            return message_page(PageMessage("Another practice", text, 409, _AGAIN), caller)
        case Unidentified(error):
            return page("unidentified", caller, 502, cause=error.cause)
        case NothingWaits():
            text = "The consent was settled already, or waited too long. Look at Connections, or start again."
            return message_page(PageMessage("Nothing waits for a word", text, 410, _AGAIN), caller)


def _not_given(error: str) -> PageMessage:
    if error == "access_denied":
        text = "Somebody pressed Cancel on DrChrono's page. Nothing was stored."
        return PageMessage("Consent was not given", text, 403, _AGAIN)
    name = error if _ERROR_NAME.fullmatch(error) else "an error without a proper name"
    text = f"DrChrono answered {name}. Check the API application at DrChrono; nothing was stored."
    return PageMessage("DrChrono refused", text, 400, _AGAIN)


def _no_pair(error: VendorError) -> PageMessage:
    match error:
        case Unauthorized(code="invalid_grant"):
            text = "DrChrono says that the code was used before or has expired. Nothing was stored; a new one is made."
            return PageMessage("The code cannot be used", text, 400, _AGAIN)
        case Unauthorized():
            text = (
                f"DrChrono refused the application itself ({error.cause}): check DRCHRONO_CLIENT_ID and "
                "DRCHRONO_CLIENT_SECRET against its API management page, and start the service again."
            )
            return PageMessage("The application is not known", text, 400, _AGAIN)
        case OutcomeUnknown():
            text = "DrChrono's answer was lost on the way, and a code works only once. Nothing was stored."
            return PageMessage("No answer", text, 502, _AGAIN)
    text = f"DrChrono does not answer now ({error.cause}). Nothing was stored; try again in a while."
    return PageMessage("DrChrono is away", text, 502, _AGAIN)
