"""What a request says of who asks: a script's bearer token, or a person's session; and whether it was meant.

A bearer needs no session and no CSRF token, because no browser sends it by itself. A session's requests that change
anything must carry the token its pages carry. The role is known before anything else of a request is looked at. Who
that is, `operations/sign_in.py` knows.
"""

import hmac
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.routing import APIRoute

from app.operations.accounts import Role, TooManyChecks
from app.operations.sign_in import Caller, SignIn
from app.operations.throttle import Secret, Throttle
from app.runtime import Runtime
from app.vendors.rate_limit.questions import asker

_SESSION_COOKIE = "chronobridge_session"
CSRF_FIELD, CSRF_HEADER = "csrf_token", "x-csrf-token"
POLL_HEADER = "x-poll"  # a page that looks again by itself: nobody need be sitting in front of it
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def cookie_name(request: Request, name: str) -> str:
    """Give what a cookie of ours is called: by https so that no browser lets another host or plain http set it."""
    runtime: Runtime = request.app.state.runtime
    return f"__Host-{name}" if runtime.settings.is_secure else name


def session_cookie(request: Request) -> str:
    """Give what the cookie of a session is called."""
    return cookie_name(request, _SESSION_COOKIE)


async def caller_of(request: Request) -> Caller | None:
    """Give who asks, by the request's headers alone; None for a stranger. It is looked up once a request.

    Raises  StoreUnavailable when a session cannot be looked up; HTTPException 429 when too many tokens are unknown
    """
    if not hasattr(request.state, "caller"):
        request.state.caller = await _looked_up(request)
    found: Caller | None = request.state.caller
    if found is not None and found.csrf is not None:
        asker.set(found.who)
    return found


async def _looked_up(request: Request) -> Caller | None:
    sign_in: SignIn = request.app.state.sign_in
    if given := request.headers.get("authorization"):
        scheme, _, token = given.partition(" ")
        return await _bearer(sign_in, _as_sent(token).strip()) if scheme.lower() == "bearer" else None
    cookie = request.cookies.get(session_cookie(request), "")
    return await sign_in.signed_in(cookie, is_used=POLL_HEADER not in request.headers)


async def _bearer(sign_in: SignIn, token: str) -> Caller | None:
    try:
        found = await sign_in.bearer(token)
    except TooManyChecks:
        text = "too many tokens that are not known are being checked; send it again in a moment"
        raise HTTPException(429, text, {"Retry-After": "1"}) from None
    if found is None:
        sign_in.count_refused(sign_in.accounts.name_of(token.partition(":")[0]) or "")
    return found


async def sign_out(request: Request) -> None:
    """End the session of a request, if it has one."""
    sign_in: SignIn = request.app.state.sign_in
    await sign_in.end(request.cookies.get(session_cookie(request), ""))


def _as_sent(header: str) -> str:
    """Give a header's text as UTF-8, which is what settings and forms are; the server reads headers as latin-1."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


async def known(request: Request) -> Caller:
    """Give who asks for the operator's JSON; 401 for a stranger."""
    found = await caller_of(request)
    if found is None:
        refuse_bearer(request)
        text = "send Authorization: Bearer with OPERATOR_TOKEN, VIEWER_TOKEN or the secret of an account"
        raise HTTPException(401, text, {"WWW-Authenticate": "Bearer"})
    return found


async def reader(request: Request) -> Caller:
    """Let whoever may read the operator's JSON in; 401 for a stranger, 403 for a session's request that is forged."""
    found = await known(request)
    if request.method not in _SAFE and not (
        is_meant(found, request.headers.get(CSRF_HEADER)) and (found.csrf is None or not is_from_elsewhere(request))
    ):
        raise HTTPException(
            403, f"a signed-in page sends {CSRF_HEADER} with what changes something; a script, a bearer"
        )
    return found


Reader = Annotated[Caller, Depends(reader)]


def refuse_bearer(request: Request) -> None:
    """Count a bearer that is nobody's; a request without one is no guess.

    Raises  as `refuse`
    """
    if "authorization" in request.headers:
        refuse(request, Secret.BEARER)


def refuse(request: Request, secret: Secret) -> None:
    """Count and log a secret that was wrong.

    Raises  HTTPException while whoever sent it has to wait; who knows a secret never does
    """
    throttle: Throttle = request.app.state.throttle
    if wait_s := throttle.refuse(secret, address_of(request)):
        raise HTTPException(429, "too many wrong secrets from this address", {"Retry-After": str(ceil(wait_s))})


def address_of(request: Request) -> str:
    """Give who a request came from: as a trusted proxy says, else as the connection does."""
    return request.client.host if request.client else ""


def operator(found: Annotated[Caller, Depends(reader)]) -> Caller:
    """Let only operators act; 403 for a viewer."""
    if found.role is not Role.OPERATOR:
        raise HTTPException(403, "a viewer reads only; use OPERATOR_TOKEN or the secret of an operator")
    return found


class RightFirst(APIRoute):
    """A route of the API whose right to act is asked before a body is read; FastAPI reads it before any dependency."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Give what answers a request."""
        answer: Callable[[Request], Awaitable[Response]] = super().get_route_handler()
        if all(one.call is not operator for one in self.dependant.dependencies):
            return answer

        async def asked_first(request: Request) -> Response:
            operator(await reader(request))
            return await answer(request)

        return asked_first


def _unkept(response: Response) -> None:
    """Let nothing between us and who asked keep the answer: some name patients."""
    response.headers["Cache-Control"] = "no-store"


def api_router(tag: str, prefix: str = "") -> APIRouter:
    """Give what a module of the API declares routes on, whole as they are served: FastAPI builds what is included anew.

    tag     what its routes are grouped by in the schema
    prefix  what stands in all their paths behind the API's own
    """
    return APIRouter(
        prefix=f"/api/v1{prefix}", tags=[tag], dependencies=[Depends(reader), Depends(_unkept)], route_class=RightFirst
    )


def is_meant(found: Caller, csrf: str | None) -> bool:
    """Say whether the request came from a page of ours: it carries the session's token, or needs none."""
    return found.csrf is None or (csrf is not None and hmac.compare_digest(found.csrf.encode(), csrf.encode()))


def is_from_elsewhere(request: Request) -> bool:
    """Say whether a browser tells that another site sent this request; scripts tell nothing."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    runtime: Runtime = request.app.state.runtime
    origin = request.headers.get("origin")
    ours = {runtime.settings.public_url, f"{request.url.scheme}://{request.headers.get('host', '')}"}
    return origin is not None and origin not in ours
