"""A person signs in at a provider: sent there, and received with a session or a page that says why not."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from app.errors import Unauthorized, VendorError
from app.log import log
from app.operations import oidc, staff_sign_in
from app.operations.federated_sign_in import COOKIE_LIFE_S, SignInRefusal, SignInReturn, SignInSuccess
from app.operations.sign_in import IdentityProvider, SignIn
from app.operations.throttle import Secret, Throttle
from app.runtime import Runtime
from app.web.auth import address_of, cookie_name
from app.web.console.login import begin_session
from app.web.pages import PageMessage, PageRefused, message_page, own_path, pages_router, redirect

_AGAIN = (("Sign in", "/login"),)

router = pages_router()


@dataclass(frozen=True, slots=True)
class _Way:
    """How one provider is gone to, and who comes back from there.

    client      gives who speaks to it; None where it is not set up, which `missing` tells
    begin       gives the address to send a browser to, and what its cookie must hold
    finish      gives who comes back signed in, or why nobody does
    is_metered  whether it allows us so many calls only: an address that was refused waits before another is made
    """

    provider: IdentityProvider
    cookie: str
    missing: str
    client: Callable[[Runtime], object | None]
    begin: Callable[[Runtime, str], Awaitable[tuple[str, str]]]
    finish: Callable[[Runtime, SignIn, SignInReturn], Awaitable[SignInSuccess | SignInRefusal]]
    is_metered: bool

    def must_be_set_up(self, runtime: Runtime) -> None:
        """Let nobody on where the settings do not name this provider.

        Raises  PageRefused
        """
        if self.client(runtime) is None:
            text = f"{self.missing} Sign in with a secret."
            raise PageRefused(message_page(PageMessage("There is no such sign-in", text, 404, _AGAIN), None))


_WAYS = (
    _Way(
        IdentityProvider.ISSUER,
        "chronobridge_oidc",
        "No identity provider is set up here (OIDC_ISSUER).",
        lambda runtime: runtime.oidc,
        oidc.begin,
        oidc.finish,
        is_metered=False,
    ),
    _Way(
        IdentityProvider.DRCHRONO,
        "chronobridge_staff",
        "Sign-in with DrChrono is not set up here (DRCHRONO_SIGN_IN_CLIENT_ID).",
        lambda runtime: runtime.staff_sign_in,
        staff_sign_in.begin,
        staff_sign_in.finish,
        is_metered=True,
    ),
)


async def _send_away(
    way: _Way, request: Request, wanted: Annotated[str | None, Query(alias="next")] = None
) -> Response:
    """Send the browser to the provider, with a state that only it can bring back."""
    runtime: Runtime = request.app.state.runtime
    way.must_be_set_up(runtime)
    try:
        address, cookie = await way.begin(runtime, own_path(wanted))
    except VendorError as error:
        return _is_away(way.provider, error)
    answer = redirect(address)
    answer.set_cookie(
        cookie_name(request, way.cookie),
        cookie,
        max_age=COOKIE_LIFE_S,
        httponly=True,
        samesite="lax",
        secure=runtime.settings.is_secure,
    )
    return answer


async def _receive(way: _Way, request: Request) -> Response:
    """Begin the session of whom the provider has signed in; the cookie is used up either way."""
    runtime: Runtime = request.app.state.runtime
    way.must_be_set_up(runtime)
    answer = await _received(way, runtime, request)
    name = cookie_name(request, way.cookie)
    answer.delete_cookie(name, httponly=True, samesite="lax", secure=runtime.settings.is_secure)
    return answer


async def _received(way: _Way, runtime: Runtime, request: Request) -> Response:
    asked, address = request.query_params, address_of(request)
    known: SignIn = request.app.state.sign_in
    throttle: Throttle = request.app.state.provider_throttle
    if way.is_metered and (wait_s := throttle.wait_s(address)):
        text = f"Too many sign-ins from this address were refused. Wait {ceil(wait_s)} s, and sign in again."
        later = message_page(PageMessage("You are not signed in", text, 429, _AGAIN), None)
        later.headers["Retry-After"] = str(ceil(wait_s))
        return later
    cookie = request.cookies.get(cookie_name(request, way.cookie), "")
    back = SignInReturn(asked.get("state", ""), asked.get("code", ""), asked.get("error", ""), cookie)
    try:
        found = await way.finish(runtime, known, back)
    except Unauthorized as error:
        log.warning("login.refused", cause=error.cause)
        await known.refused("")
        throttle.refuse(Secret.SIGN_IN, address)
        text = f"{way.provider.label}'s answer does not count ({error.cause}), so nobody is signed in. Try again."
        return message_page(PageMessage("You are not signed in", text, 403, _AGAIN), None)
    except VendorError as error:
        return _is_away(way.provider, error)
    if isinstance(found, SignInRefusal):
        log.warning("login.refused", cause=found.title)
        await known.refused(found.name)
        if found.name:  # who was asked for, which a provider does not do for nothing
            throttle.refuse(Secret.SIGN_IN, address)
        return message_page(PageMessage(found.title, found.text, found.status, _AGAIN), None)
    throttle.forget(address)
    return await begin_session(request, found.account, found.wanted)


def _is_away(provider: IdentityProvider, error: VendorError) -> Response:
    log.warning(f"login.{provider.value}_away", cause=error.cause, status=error.status)
    text = f"{provider.label} does not answer as it should ({error.cause}). Try again, or sign in with a secret."
    return message_page(PageMessage(f"{provider.label} is away", text, 502, _AGAIN), None)


for _way in _WAYS:
    router.add_api_route(_way.provider.path, partial(_send_away, _way), methods=["GET"])
    router.add_api_route(_way.provider.callback, partial(_receive, _way), methods=["GET"])
