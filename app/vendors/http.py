"""The edge to the vendors: trusted roots, deadlines, and every failure of a library translated into our family.

Only what a vendor documents for a call is its answer, by status, media type and shape together; each vendor's package
has one module that knows them. Whatever else comes is something before the API speaking, a proxy or a maintenance page:
like a vendor that is away, and after a write an outcome nobody knows.
"""

import json
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import certifi
import httpx

from app.errors import EdgeAnswered, OutcomeUnknown, SyncError, Unavailable, VendorError
from app.log import log

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


_MEDIA = re.compile(r"\s*([\w.+-]{1,60}/[\w.+-]{1,60})\s*(?:;|$)", re.ASCII)
NOT_JSON, MISFIT = "NOT_JSON", "ANSWER_DOES_NOT_FIT"
# an HTTP server's own words on what we sent, whatever its page looks like: sent again it would be refused again
TOO_LARGE = frozenset(
    {
        httpx.codes.REQUEST_ENTITY_TOO_LARGE,
        httpx.codes.REQUEST_URI_TOO_LONG,
        httpx.codes.REQUEST_HEADER_FIELDS_TOO_LARGE,
    }
)


def media_of(content_type: Any) -> str:
    """Give the media type of a header's words, in small letters; empty where there is none."""
    found = _MEDIA.match(str(content_type or ""))
    return found[1].lower() if found else ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back to a call: its status, its media type (empty where none can be read), and its bytes."""

    status: int
    media: str
    body: bytes

    @classmethod
    def of(cls, response: Any) -> Self:
        """Give the reply in a response of httpx or of requests, which name these alike."""
        media = media_of(response.headers.get("content-type"))
        return cls(response.status_code, media, response.content or b"")

    @property
    def came(self) -> str:
        """What sort of thing it is, for people to read; nothing of what it says."""
        return f"{self.media or 'of no type'}, {len(self.body)} bytes"

    def json(self) -> Any:
        """Give what it says.

        Raises  ValueError where it is no JSON, by its type or its text
        """
        if self.media != "application/json" and not (
            self.media.startswith("application/") and self.media.endswith("+json")
        ):
            raise ValueError("the answer is not of JSON's type")
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("the answer is nested without end") from None


def not_the_api(reply: Reply, side: str, call: str, *, writes: bool, code: str = NOT_JSON) -> VendorError:
    """Give our error for an answer that the vendor does not document for a call, and log that it came.

    writes  the call changes something over there: whether it did is not known
    code    what it lacks
    """
    kind = EdgeAnswered if writes else Unavailable
    log.warning("answer.undocumented", side=side, call=call, status=reply.status, code=code, cause=reply.came)
    return kind(side, call, status=reply.status, code=code, came=reply.came)


_WAIT = re.compile(r"available in\s+(\d+(?:\.\d+)?)\s*second")


def wait_s(said: str) -> float | None:
    """Give how long a 429 says to wait: DrChrono says it in the body, as a float, and sends no header; None without."""
    found = _WAIT.search(said)
    return float(found[1]) if found else None


_NO_TOKEN = frozenset({httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED})


def checked_grant(response: httpx.Response) -> httpx.Response:
    """Give a token endpoint's answer in the form its reader expects: a life that is a number, or none.

    Raises  httpx.HTTPStatusError for what is neither a token nor an OAuth error: throttled, down, or a page
    """
    try:
        document = Reply.of(response).json()
    except ValueError:
        document = None
    given, refused = (
        (document.get("access_token"), document.get("error")) if isinstance(document, dict) else (None, None)
    )
    is_token = response.status_code == httpx.codes.OK and isinstance(given, str) and given and refused is None
    is_refusal = response.status_code in _NO_TOKEN and isinstance(refused, str) and refused
    if not is_token and not is_refusal:
        raise httpx.HTTPStatusError("no grant", request=response.request, response=response)
    assert isinstance(document, dict)
    life = document.pop("expires_in", None)
    if life is None or isinstance(life, int | float):
        return response
    with suppress(TypeError, ValueError, OverflowError):  # a life nobody can read is none
        document["expires_in"] = int(float(life))
    return httpx.Response(response.status_code, json=document, request=response.request)


def no_grant(response: httpx.Response, side: str, call: str, *, writes: bool) -> VendorError:
    """Give what an answer without token and without OAuth error means: nobody has refused us.

    writes  it may have spent a token that works once
    """
    reply = Reply.of(response)
    if reply.status == httpx.codes.TOO_MANY_REQUESTS:
        return Unavailable(side, call, status=reply.status, retry_in_s=wait_s(response.text))
    return not_the_api(reply, side, call, writes=writes, code="NO_GRANT")
