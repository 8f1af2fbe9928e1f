"""A person signs in by an account of the settings or with one of the two tokens, and signs out again."""

from math import ceil
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from app.log import log
from app.operations.accounts import NamedAccount, TooManyChecks
from app.operations.sign_in import IdentityProvider, SignIn
from app.operations.throttle import Secret, Throttle
from app.runtime import Runtime
from app.web.auth import address_of, caller_of, is_from_elsewhere, session_cookie
from app.web.auth import sign_out as end_session
from app.web.pages import PageMessage, form, message_page, own_path, page, pages_router, reader, redirect

router = pages_router()


@router.get("/login")
async def ask(request: Request, wanted: Annotated[str | None, Query(alias="next")] = None) -> Response:
    """Show the form; who is signed in already goes on."""
    if await caller_of(request) is not None:
        return redirect(own_path(wanted))
    return _asked(request, own_path(wanted), None)


def _asked(request: Request, wanted: str, complaint: str | None, status: int = 200, name: str = "") -> HTMLResponse:
    """Give the form; who signs in on the way to connect is led on to DrChrono by it, which the browser must allow.

    name  what was typed, so that it need not be typed again
    """
    runtime: Runtime = request.app.state.runtime
    known = runtime.settings
    has_names = bool(known.operators or known.viewers)
    elsewhere = {IdentityProvider.ISSUER: urlsplit(known.oidc_issuer).hostname} if known.oidc_issuer else {}
    elsewhere |= {IdentityProvider.DRCHRONO: "DrChrono"} if known.drchrono_sign_in_client_id else {}
    onward = known.drchrono_base_url
    values = {"wanted": wanted, "complaint": complaint, "has_names": has_names, "elsewhere": elsewhere, "typed": name}
    return page("login", None, status, onward=onward, **values)


@router.post("/login")
async def sign_in(request: Request) -> Response:
    """Begin a session: always a new one, whatever cookie came along."""
    known: SignIn = request.app.state.sign_in
    throttle: Throttle = request.app.state.throttle
    if is_from_elsewhere(request):
        return message_page(
            PageMessage("That was not sent from this page", "Sign in here.", 403, (("Sign in", "/login"),)), None
        )
    given = await form(request)
    wanted, address, name = own_path(given.get("next")), address_of(request), given.get("name", "").strip()
    try:
        account = await known.accounts.of_token(given.get("token", "").strip(), name)
    except TooManyChecks:
        return _asked(request, wanted, "Too many people sign in at this moment. Try again.", 429, name)
    if account is None:
        unknown = "That name with that secret is not known" if name else "That token is not known"
        await known.refused(known.accounts.name_of(name) or "")
        if wait_s := throttle.refuse(Secret.SIGN_IN, address):
            text = f"{unknown}, and it was not the first. Wait {ceil(wait_s)} s before another guess."
            later = _asked(request, wanted, text, 429, name)
            later.headers["Retry-After"] = str(ceil(wait_s))
            return later
        return _asked(request, wanted, f"{unknown}.", 401, name)
    throttle.forget(address)
    return await begin_session(request, account, wanted)


async def begin_session(request: Request, account: NamedAccount, wanted: str) -> Response:
    """Begin a session in this browser, and end the one it had; gives the way to the page that was wanted."""
    runtime: Runtime = request.app.state.runtime
    known: SignIn = request.app.state.sign_in
    await end_session(request)
    answer = redirect(wanted)
    answer.set_cookie(
        session_cookie(request),
        await known.begin(account),
        httponly=True,
        samesite="lax",
        secure=runtime.settings.is_secure,
    )
    log.info("login.accepted", role=account.role.value)
    return answer


@router.post("/logout", dependencies=[Depends(reader)])
async def sign_out(request: Request) -> Response:
    """End the session, here and in every copy of its cookie."""
    runtime: Runtime = request.app.state.runtime
    await end_session(request)
    answer = redirect("/login")
    answer.delete_cookie(session_cookie(request), httponly=True, samesite="lax", secure=runtime.settings.is_secure)
    return answer
