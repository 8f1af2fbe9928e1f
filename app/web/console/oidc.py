"""A person signs in at the identity provider: sent there, and received with a session or a page that says why not."""

from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from app.errors import Unauthorized, VendorError
from app.log import log
from app.operations import oidc
from app.operations.oidc import OidcRefusal, OidcReturn
from app.operations.sign_in import SignIn
from app.runtime import Runtime
from app.vendors.oidc import OidcClient
from app.web.auth import cookie_name
from app.web.console.login import begin_session
from app.web.pages import PageMessage, PageRefused, message_page, own_path, pages_router, redirect

_COOKIE, _PATH = "chronobridge_oidc", "/login/oidc"
_AGAIN = (("Sign in", "/login"),)

router = pages_router()


@router.get(_PATH)
async def send_away(request: Request, wanted: Annotated[str | None, Query(alias="next")] = None) -> Response:
    """Send the browser to the identity provider, with a state that only it can bring back."""
    runtime: Runtime = request.app.state.runtime
    try:
        address, cookie = await oidc.begin(runtime, _client(runtime), own_path(wanted))
    except VendorError as error:
        return _is_away(error)
    answer = redirect(address)
    answer.set_cookie(
        cookie_name(request, _COOKIE),
        cookie,
        max_age=oidc.COOKIE_LIFE_S,
        httponly=True,
        samesite="lax",
        secure=runtime.settings.is_secure,
    )
    return answer


@router.get(oidc.CALLBACK)
async def receive(request: Request) -> Response:
    """Begin the session of whom the identity provider has signed in; the cookie is used up either way."""
    runtime: Runtime = request.app.state.runtime
    answer = await _received(runtime, request)
    name = cookie_name(request, _COOKIE)
    answer.delete_cookie(name, httponly=True, samesite="lax", secure=runtime.settings.is_secure)
    return answer


async def _received(runtime: Runtime, request: Request) -> Response:
    asked, known = request.query_params, request.app.state.sign_in
    assert isinstance(known, SignIn)
    cookie = request.cookies.get(cookie_name(request, _COOKIE), "")
    back = OidcReturn(asked.get("state", ""), asked.get("code", ""), asked.get("error", ""), cookie)
    try:
        found = await oidc.finish(runtime, _client(runtime), known, back)
    except Unauthorized as error:
        log.warning("login.refused", cause=error.cause)
        await known.refused("")
        text = f"The identity provider's answer does not count ({error.cause}), so nobody is signed in. Try again."
        return message_page(PageMessage("You are not signed in", text, 403, _AGAIN), None)
    except VendorError as error:
        return _is_away(error)
    if isinstance(found, OidcRefusal):
        log.warning("login.refused", cause=found.title)
        await known.refused(found.name)
        return message_page(PageMessage(found.title, found.text, found.status, _AGAIN), None)
    return await begin_session(request, found.account, found.wanted)


def _client(runtime: Runtime) -> OidcClient:
    if runtime.oidc is None:
        text = "No identity provider is set up here (OIDC_ISSUER). Sign in with a secret."
        raise PageRefused(message_page(PageMessage("There is no such sign-in", text, 404, _AGAIN), None))
    return runtime.oidc


def _is_away(error: VendorError) -> Response:
    log.warning("login.issuer_away", cause=error.cause, status=error.status)
    text = f"The identity provider does not answer as it should ({error.cause}). Try again, or sign in with a secret."
    return message_page(PageMessage("The identity provider is away", text, 502, _AGAIN), None)
