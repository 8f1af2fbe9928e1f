"""The bytes of Salesforce's files over HTTP, which are streamed both ways: the library would hold each one whole.

What a call is counted as, in which session it is made, and when the org is left alone is the transport's, as of every
other call. Files have few places of their own among those of the process, so no other call waits for a large one.

Source  REST API Developer Guide, "Insert or Update Blob Data" and "sObject Blob Retrieve" (read 2026-11)
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from simple_salesforce.exceptions import SalesforceExpiredSession

from app.errors import OutcomeUnknown, Unavailable
from app.sync.model import Side
from app.timings import Timings
from app.vendors import downloads, http
from app.vendors.http import Reply, not_the_api
from app.vendors.multipart import Multipart
from app.vendors.rate_limit.concurrency import ConcurrencySlot
from app.vendors.rate_limit.salesforce import SalesforceRateLimit
from app.vendors.salesforce.answers import UndocumentedAnswerError, is_session_over, judged
from app.vendors.salesforce.wire import refused

_SIDE = Side.SALESFORCE.value
_AT_ONCE = 2  # of one process, each way
_REFUSALS = 300


@dataclass(frozen=True, slots=True)
class FileSession:
    """What a file is sent with: the address below which the API is, the token, and who hears of it.

    hear  hears of what an answer's headers say was used
    """

    base: str
    token: str = field(repr=False)
    budget: SalesforceRateLimit
    hear: Callable[[Any], None]
    timings: Timings

    @property
    def headers(self) -> dict[str, str]:
        """What every call of a file carries."""
        return {"Authorization": f"Bearer {self.token}", "Sforce-Call-Options": "client=Chronobridge"}


class FileTransfers:
    """The connections that files go by; a redirect is not followed."""

    def __init__(self, context: Any) -> None:
        self._http = http.client("", context, headers=downloads.IDENTITY)
        self._uploads, self._downloads = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(_AT_ONCE)

    async def upload(self, session: FileSession, path: str, call: str, form: Multipart) -> Any:
        """Give what Salesforce answers to a form with a file.

        Raises  OutcomeUnknown where all of it was sent and no answer came; Unavailable, Rejected, Unauthorized;
                SourceFailedError; SalesforceExpiredSession
        """
        deadline = _deadline(session)
        async with self._uploads, _place(session, call) as place:
            try:
                async with asyncio.timeout_at(deadline), aclosing(form.content()) as content:
                    headers = {**session.headers, **form.headers, "Accept": "application/json"}
                    response = await self._http.post(session.base + path, headers=headers, content=content)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                session.budget.heard(None)
                place.is_given_up = form.is_whole and isinstance(error, httpx.ReadTimeout)
                raise http.translated(error, _SIDE, call, writes=form.is_whole) from None
            except TimeoutError:
                session.budget.heard(None)
                place.is_given_up = form.is_whole
                raise (OutcomeUnknown if form.is_whole else Unavailable)(_SIDE, call, code=downloads.SLOW) from None
        _take_in(session, response)
        return _said(Reply.of(response), response, call, writes=form.is_whole)

    async def open(self, session: FileSession, path: str, call: str, stack: AsyncExitStack) -> AsyncGenerator[bytes]:
        """Give the bytes of a file as they come, until the stack is left.

        Raises  as `upload`, of a read
        """
        deadline = _deadline(session)
        async with AsyncExitStack() as attempt:
            await attempt.enter_async_context(self._downloads)
            await attempt.enter_async_context(_place(session, call))
            try:
                async with asyncio.timeout_at(deadline):
                    request = self._http.build_request("GET", session.base + path, headers=session.headers)
                    response = await self._http.send(request, stream=True)
                    attempt.push_async_callback(response.aclose)
                    reply = None if downloads.is_file(response) else await downloads.reply_of(response)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                session.budget.heard(None)
                raise http.translated(error, _SIDE, call, writes=False) from None
            except TimeoutError:
                session.budget.heard(None)
                raise Unavailable(_SIDE, call, code=downloads.SLOW) from None
            _take_in(session, response)
            if reply is not None:
                _said(reply, response, call, writes=False)
                raise not_the_api(reply, _SIDE, call, writes=False, code="NO_FILE")
            pieces = downloads.pieces_of(response, _SIDE, call, deadline)
            await attempt.enter_async_context(aclosing(pieces))
            await stack.enter_async_context(attempt.pop_all())
            return pieces

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.aclose()


@asynccontextmanager
async def _place(session: FileSession, call: str) -> AsyncIterator[ConcurrencySlot]:
    """Give a place among the calls of the process, as soon as one is free."""
    until = asyncio.get_running_loop().time() + session.timings.call_s
    async with session.budget.places.one(_SIDE, call, until) as place:
        yield place


def _deadline(session: FileSession) -> float:
    return asyncio.get_running_loop().time() + session.timings.transfer_s


def _take_in(session: FileSession, response: httpx.Response) -> None:
    session.budget.heard(response.status_code)
    session.hear(response)


def _said(reply: Reply, response: httpx.Response, call: str, *, writes: bool) -> Any:
    """Give what an answer says.

    Raises  as `upload`
    """
    try:
        document = judged(reply, response.request.method, response.request.url.path)
    except UndocumentedAnswerError as error:
        raise not_the_api(error.reply, _SIDE, call, writes=writes, code=error.lacks) from None
    if reply.status == httpx.codes.UNAUTHORIZED or is_session_over(document):
        raise SalesforceExpiredSession("", reply.status, call, b"")
    if reply.status >= _REFUSALS:
        raise refused(reply.status, document, call, writes=writes)
    return document
