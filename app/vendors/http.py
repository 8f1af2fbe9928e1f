"""The edge to the vendors: trusted roots, deadlines, and every failure of a library translated into our family."""

import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import certifi
import httpx

from app.errors import Gone, OutcomeUnknown, Rejected, SyncError, Unauthorized, Unavailable

BeforeCall = Callable[[str], Awaitable[None]]
OnResponse = Callable[[int | None], None]


async def admit_any(_call: str) -> None:
    """Let any call be made."""


def ignore_response(_status: int | None) -> None:
    """Hear of it, and do nothing."""


TIMEOUTS = httpx.Timeout(connect=5.0, read=15.0, write=15.0, pool=15.0)

# never sent, so it cannot have happened; every other transport failure may have come after the vendor did it
NEVER_SENT: tuple[type[Exception], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)


@cache
def trusted(ca_bundle: Path | None) -> ssl.SSLContext:
    """Give the TLS context that trusts the public roots and those of CA_BUNDLE; reading them takes 25 ms, so once."""
    context = ssl.create_default_context(cafile=certifi.where())
    if ca_bundle is not None:
        context.load_verify_locations(cafile=str(ca_bundle))
    return context


def client(base_url: str, context: ssl.SSLContext, **options: Any) -> httpx.AsyncClient:
    """Give an HTTP client that follows no redirect by itself: it would lose or leak the token."""
    return httpx.AsyncClient(base_url=base_url, verify=context, timeout=TIMEOUTS, follow_redirects=False, **options)


def translated(error: httpx.HTTPError | httpx.InvalidURL, side: str, call: str, *, writes: bool) -> SyncError:
    """Give our error for one of httpx's.

    writes  the call changes something over there, so an answer that never came leaves it unknown
    """
    if isinstance(error, NEVER_SENT) or not writes:
        return Unavailable(side, call, code=type(error).__name__)
    return OutcomeUnknown(side, call, code=type(error).__name__)


_CODE = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_LONGEST_NAME = 128


def code_in(said: Any) -> str:
    """Give the code that a vendor says, as far as it is one; empty where it is none."""
    found = _CODE.match(said) if isinstance(said, str) else None
    return found[0] if found else ""


def names_in(said: Any) -> tuple[str, ...]:
    """Give the fields that a vendor names; what can be no name is left out."""
    given = said if isinstance(said, list | tuple) else ()
    return tuple(one for one in given if isinstance(one, str) and one.isprintable() and len(one) <= _LONGEST_NAME)


_WAIT = re.compile(r"available in\s+(\d+(?:\.\d+)?)\s*second")


def refused(response: httpx.Response, side: str, call: str, *, writes: bool = False) -> SyncError:
    """Give our error for an answer that is no success; the body is looked at for codes only, never kept."""
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Unavailable(side, call, status=status, retry_in_s=wait_s(response))
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        kind = OutcomeUnknown if writes else Unavailable
        return kind(side, call, status=status)
    if status == httpx.codes.UNAUTHORIZED:
        return Unauthorized(side, call, status=status)
    if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        return Gone(side, call, status=status)
    return Rejected(side, call, status=status)


def wait_s(response: httpx.Response) -> float | None:
    """Give how long a 429 says to wait: DrChrono says it in the body, as a float, and sends no header; None without."""
    said = _WAIT.search(response.text) if response.status_code == httpx.codes.TOO_MANY_REQUESTS else None
    return float(said[1]) if said else None


def checked_grant(response: httpx.Response) -> httpx.Response:
    """Give a token endpoint's answer in the form its reader expects: a life that is a number, or none.

    Raises  httpx.HTTPStatusError for what is neither a token nor an OAuth error: throttled, down, or HTML
    """
    try:
        document = response.json()
    except ValueError:
        document = None
    is_answer = isinstance(document, dict) and (isinstance(document.get("access_token"), str) or "error" in document)
    if not is_answer or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise httpx.HTTPStatusError("no grant", request=response.request, response=response)
    given = document.pop("expires_in", None)
    if given is None or isinstance(given, int | float):
        return response
    with suppress(TypeError, ValueError, OverflowError):  # a life nobody can read is none
        document["expires_in"] = int(float(given))
    return httpx.Response(response.status_code, json=document, request=response.request)


def no_grant(response: httpx.Response, side: str, call: str, *, writes: bool) -> SyncError:
    """Give what an answer without token and without OAuth error means: a proxy's page is nobody's refusal."""
    error = refused(response, side, call, writes=writes)
    if isinstance(error, Unavailable | OutcomeUnknown):
        return error
    return Unavailable(side, call, status=response.status_code, code="NO_GRANT")
