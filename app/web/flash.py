"""Flash: what an act came to, said once, on the page that follows it.

It travels in a cookie that is signed, counts for a minute, and is dropped by the page that shows it. It holds numbers
and paths of ours, and never what a person is called or what a record holds.
"""

import hashlib
from dataclasses import dataclass

from fastapi import Request, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.runtime import Runtime
from app.web.auth import cookie_name

_COOKIE = "chronobridge_flash"
_LIFE_S = 60


@dataclass(frozen=True, slots=True)
class Flash:
    """What an act came to. `ways` are links to where one looks next: text -> path of ours."""

    text: str
    ways: tuple[tuple[str, str], ...] = ()


def put(request: Request, response: Response, flash: Flash) -> None:
    """Have the page that follows say it."""
    runtime: Runtime = request.app.state.runtime
    response.set_cookie(
        cookie_name(request, _COOKIE),
        str(_signer(runtime).dumps([flash.text, flash.ways])),
        max_age=_LIFE_S,
        httponly=True,
        samesite="lax",
        secure=runtime.settings.is_secure,
    )


def take(request: Request) -> Flash | None:
    """Give what the act before this page came to; None where there was none, or it was a minute ago."""
    cookie = request.cookies.get(cookie_name(request, _COOKIE))
    if not cookie:
        return None
    try:
        text, ways = _signer(request.app.state.runtime).loads(cookie, max_age=_LIFE_S)
    except BadSignature:
        return None
    return Flash(text, tuple((name, path) for name, path in ways))


def drop(request: Request, response: Response) -> None:
    """Have it said on no page after this one."""
    runtime: Runtime = request.app.state.runtime
    response.delete_cookie(
        cookie_name(request, _COOKIE), httponly=True, samesite="lax", secure=runtime.settings.is_secure
    )


def _signer(runtime: Runtime) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        runtime.settings.signing_key, salt="flash", signer_kwargs={"digest_method": hashlib.sha256}
    )
