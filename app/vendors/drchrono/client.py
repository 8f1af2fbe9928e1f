"""DrChrono over HTTP: one method per call we make.

Every call carries the pinned API version. On 401 the stored token is re-read and the call repeated once, then the
token refreshed once; DrChrono's refresh tokens are single use, so all of that goes through the broker. A call that has
moved is repeated once where it leads, at the same host. Every call is counted before it is made, in the lane it is made
for: DrChrono counts them by the hour. What an answer means is told in `answers.py`.
"""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import httpx

from app.errors import (
    Gone,
    OutcomeUnknown,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreadable,
    VendorError,
)
from app.ports import TokenStore
from app.sync.model import Lane, Side
from app.timings import REAL, TOKEN_LEASE
from app.vendors import http
from app.vendors.drchrono import answers, wire
from app.vendors.drchrono.answers import Documented
from app.vendors.drchrono.file_host import FILES_AT_ONCE, FileHost
from app.vendors.drchrono.oauth import DrChronoGrant
from app.vendors.http import Reply
from app.vendors.multipart import Multipart
from app.vendors.token_broker import NOT_TAKEN, Broker, DoubtedToken, OnRefusal, Policy, Token

T = TypeVar("T")

_HEADERS = {"X-DRC-API-Version": "v4", "Accept": "application/json"}
_SIDE = Side.DRCHRONO.value
_AT_ONCE, _AT_ONCE_BEHIND = 4, 3  # of one process: live edits; all the rest
_BUSY_S = 60.0  # heavy use is answered with 403s too, which are no lost permission
# between looks for a page of a bulk list, each of which is a call: it takes seconds to be made, and an hour at most
BULK_WAITS_S = (1.0, 1.5, 2.5, 4.0, 6.0, 10.0, *(20.0,) * 20)
# documented of some endpoints is the first; the others say the same of any verb, but not that of 303: read it there
MOVED = (
    httpx.codes.FOUND,
    httpx.codes.MOVED_PERMANENTLY,
    httpx.codes.TEMPORARY_REDIRECT,
    httpx.codes.PERMANENT_REDIRECT,
)
_API = "/api/"
_TOKENS_TRIED = 3  # the one we had, the one stored meanwhile, a fresh one


@dataclass(frozen=True, slots=True)
class _Write:
    fields: dict[str, Any] | Multipart | None
    may_start: Callable[[], None]

    @property
    def may_have_happened(self) -> bool:
        """Whether the vendor may have had the whole of it: of a form that was cut it can have made nothing."""
        return not isinstance(self.fields, Multipart) or self.fields.is_whole


class DrChrono:
    """The connected practice."""

    def __init__(
        self, grant: DrChronoGrant, store: TokenStore, context: Any, tell: OnRefusal, lease: timedelta = TOKEN_LEASE
    ) -> None:
        self._http = http.client(grant.base_url, context, headers=_HEADERS)
        self._gates = {
            is_live: asyncio.Semaphore(_AT_ONCE if is_live else _AT_ONCE_BEHIND) for is_live in (True, False)
        }
        self._uploads, self.files = asyncio.Semaphore(FILES_AT_ONCE), FileHost(grant.base_url, context)
        self.lane = Lane.LIVE
        self.before: http.BeforeCall = http.admit_any
        self.bulk_waits_s: Sequence[float] = BULK_WAITS_S
        self.timings = REAL
        self.grant = grant
        self.broker = Broker(_SIDE, store, grant.refresh, Policy(is_final=True, lease=lease), tell)

    def on(self, lane: Lane, before: http.BeforeCall = http.admit_any) -> Self:
        """Give the same practice, its calls counted in a lane; `before` is asked first, and may refuse one."""
        there = copy.copy(self)
        there.lane, there.before = lane, before
        return there

    async def read(self, path: str, record_id: str) -> dict[str, Any] | None:
        """Give one record as DrChrono holds it now, None when it says that it is gone or not shown to us.

        Raises  Unavailable, Unauthorized, Rejected, Unreadable
        """
        call = f"GET {path}/{{id}}"
        try:
            record = await self._signed("GET", f"{path}/{quote(record_id, safe='')}", call, answers.RECORD)
        except Gone:
            return None
        return answers.is_one(record, record_id, call)

    async def update(
        self,
        path: str,
        record_id: str,
        fields: dict[str, Any] | Multipart,
        may_start: Callable[[], None] = lambda: None,
    ) -> None:
        """Change exactly these fields of a record; DrChrono answers without a body.

        fields     as JSON, or as a form where DrChrono takes no other
        may_start  raises where the request may not be sent any more; asked right before it is
        Raises     Unavailable, OutcomeUnknown, Unauthorized, Gone; Rejected, naming the fields DrChrono complains of
        """
        call = f"PATCH {path}/{{id}}"
        write = _Write(fields, may_start)
        await self._signed("PATCH", f"{path}/{quote(record_id, safe='')}", call, answers.CHANGED, write)

    async def create(
        self, path: str, fields: dict[str, Any] | Multipart, may_start: Callable[[], None] = lambda: None
    ) -> dict[str, Any]:
        """Make a record of these fields and give it as DrChrono answered; a second call would make a second one.

        fields, may_start  as for `update`
        Raises     Unavailable, OutcomeUnknown, Unauthorized; Rejected, naming the fields DrChrono complains of, or
                   with the code of a record that it takes for one it has; where not all of a file was sent, so nothing
                   was made, SourceFailedError or Unavailable
        """
        call = f"POST {path}"
        try:
            return await self._signed("POST", path, call, answers.CREATED, _Write(fields, may_start))
        except Gone as error:
            raise Rejected(_SIDE, call, status=error.status) from None

    async def delete(self, path: str, record_id: str, may_start: Callable[[], None] = lambda: None) -> None:
        """Delete a record, as far as DrChrono deletes records of its sort; one that is not there is left so.

        may_start  as for `update`
        Raises     as `update`, but for Gone
        """
        call = f"DELETE {path}/{{id}}"
        write = _Write(None, may_start)
        with suppress(Gone):
            await self._signed("DELETE", f"{path}/{quote(record_id, safe='')}", call, answers.CHANGED, write)

    async def listed(self, path: str, asked: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Give every record of a list, page by page; `asked` are the list's own filters.

        Raises  as `read`
        """
        return [record async for page in self.pages(path, asked) for record in page]

    async def pages(self, path: str, asked: Mapping[str, str] | None = None) -> AsyncIterator[list[dict[str, Any]]]:
        """Give a list page by page, as DrChrono cuts it; whatever is in it is a record.

        Raises  as `read`
        """
        async for rows, _ in self.places(path, asked):
            if not all(isinstance(row, dict) for row in rows):
                raise Unreadable(_SIDE, f"GET {path}", code="NO_RECORDS")
            yield rows

    async def places(
        self, path: str, asked: Mapping[str, str] | None = None, place: str = ""
    ) -> AsyncIterator[tuple[list[Any], str]]:
        """Give the rows of a list, as they are, page by page, each with the place of the next; from a place on.

        Raises  as `read`
        """
        call, seen = f"GET {path}", set[str]()
        url = self._onward(place, call) if place else (f"{path}?{urlencode(asked)}" if asked else path)
        while url not in seen:
            seen.add(url)
            rows, onward = await self._signed("GET", url, call, answers.LIST)
            url = self._onward(onward, call) if onward is not None else ""
            yield rows, url
            if not url:
                return
        raise Unreadable(_SIDE, call, code="ENDLESS_LIST")

    async def called(self, method: str, url: str, call: str, wanted: Documented[T]) -> T:
        """Give what a call is answered that changes no record.

        Raises  as `read`; Gone
        """
        return await self._signed(method, url, call, wanted)

    async def has_calls(self, count: int) -> bool:
        """Say whether the hour has so many calls more for this lane now.

        Raises  StoreUnavailable
        """
        return await self.grant.budget.room(self.lane) >= count

    async def user(self, token: str | None = None) -> wire.User:
        """Give whose consent we hold, or whose a token is that is not stored yet.

        Raises  Unauthorized, Unavailable, Rejected
        """
        call = "GET /api/users/current"
        try:
            return await self._got("/api/users/current", call, answers.USER, token)
        except Gone as error:
            raise Rejected(_SIDE, call, status=error.status) from None

    async def doctor(self, doctor_id: str, token: str) -> dict[str, Any] | None:
        """Give a doctor's record, asked for with a token that is not stored yet; None when it is not shown.

        Raises  Unauthorized, Unavailable
        """
        url = f"/api/doctors/{quote(doctor_id, safe='')}"
        try:
            return await self._got(url, "GET /api/doctors/{id}", answers.RECORD, token)
        except (Gone, Rejected):
            return None

    async def raw(
        self, method: str, url: str, call: str, fields: dict[str, Any] | None = None, token: str | None = None
    ) -> httpx.Response:
        """Give the answer to one call as it came, whatever it says: nothing is followed, no token renewed for it.

        call    what it is counted and named as: without any id
        fields  of a write
        token   another than the stored one
        Raises  Unavailable, OutcomeUnknown; Unauthorized where no token is stored
        """
        given = (await self.broker.current()).value if token is None else token
        writes = fields is not None or method == "DELETE"
        write = _Write(fields, lambda: None) if writes else None
        response = await self._exchanged(method, url, call, given, write)
        await self.grant.budget.answered(response.status_code, http.wait_s(response.text))
        return response

    async def close(self) -> None:
        """Let the connections go, once a token that is on its way has been stored."""
        await self.broker.close()
        await self._http.aclose()
        await self.files.close()
        await self.grant.close()

    async def _got(self, url: str, call: str, wanted: Documented[T], token: str | None) -> T:
        if token is None:
            return await self._signed("GET", url, call, wanted)
        return await self._sent("GET", url, call, wanted, token)

    async def _signed(self, method: str, url: str, call: str, wanted: Documented[T], write: _Write | None = None) -> T:
        """Give what a call is answered, made with the stored token, or with a fresh one where that is not taken."""
        token = await self.broker.current()
        for _ in range(_TOKENS_TRIED):
            try:
                found = await self._sent(method, url, call, wanted, token.value, write)
            except Unauthorized as error:
                refused = error
            except (Gone, Rejected):
                await self._taken(token)
                raise
            else:
                await self._taken(token)
                return found
            if token.is_fresh:
                break
            token = await self.broker.renewed(token)
        wait_s = await self.broker.refuse(token, NOT_TAKEN)
        if wait_s is None:
            raise Unavailable(_SIDE, call, code="TOKEN_MOVED", retry_in_s=1.0)
        await self.grant.budget.pause(wait_s)
        raise Unauthorized(_SIDE, call, status=refused.status, retry_in_s=wait_s) from refused

    async def _taken(self, token: Token) -> None:
        if isinstance(token, DoubtedToken):
            await self.broker.trust(token)

    async def _sent(
        self, method: str, url: str, call: str, wanted: Documented[T], token: str, write: _Write | None = None
    ) -> T:
        """Give what a call is answered, made where it leads."""
        response = await self._exchanged(method, url, call, token, write)
        budget = self.grant.budget
        if response.status_code in MOVED and (there := self._moved(response)):
            await budget.answered(response.status_code, None)
            response = await self._exchanged(method, there, call, token, write)
        try:
            writes = write is not None and write.may_have_happened
            found = answers.said(Reply.of(response), call, wanted, writes=writes)
        except VendorError as error:
            if error.came:
                await budget.failed()
            else:
                await budget.answered(response.status_code, error.retry_in_s)
            is_refusal = isinstance(error, Rejected) and error.status == httpx.codes.FORBIDDEN
            if is_refusal and await budget.was_throttled():
                raise Unavailable(_SIDE, call, status=error.status, retry_in_s=_BUSY_S) from None
            raise
        await budget.answered(response.status_code, None)
        return found

    async def _exchanged(self, method: str, url: str, call: str, token: str, write: _Write | None) -> httpx.Response:
        headers, budget = {"Authorization": f"Bearer {token}"}, self.grant.budget
        try:
            gate = self._gates[self.lane is Lane.LIVE]
            async with self._uploads if write is not None and isinstance(write.fields, Multipart) else gate:
                await self.before(call)
                await budget.spend(self.lane, call)
                if write is not None:
                    write.may_start()
                response = await self._requested(method, url, headers, write)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            budget.heard(None)
            await budget.failed()
            writes = write is not None and write.may_have_happened
            raise http.translated(error, _SIDE, call, writes=writes) from None
        except TimeoutError:
            budget.heard(None)
            await budget.failed()
            is_unknown = write is None or write.may_have_happened
            raise (OutcomeUnknown if is_unknown else Unavailable)(_SIDE, call, code="NO_ANSWER") from None
        budget.heard(response.status_code)
        return response

    async def _requested(
        self, method: str, url: str, headers: Mapping[str, str], write: _Write | None
    ) -> httpx.Response:
        if write is None:
            return await self._http.request(method, url, headers=headers)
        if not isinstance(form := write.fields, Multipart):
            async with asyncio.timeout(self.timings.call_s):
                return await self._http.request(method, url, headers=headers, json=form)
        async with asyncio.timeout(self.timings.transfer_s), aclosing(form.content()) as content:
            headers = {**headers, **form.headers}
            return await self._http.request(method, url, headers=headers, content=content)

    def _moved(self, response: httpx.Response) -> str:
        """Give where a call has moved to at the same host, be it told with https or without; empty where elsewhere."""
        there, base = _joined(response.url, response.headers.get("location", "")), self._http.base_url
        if there is None or (there.host, there.port) != (base.host, base.port):
            return ""
        here = self._path(there)
        return "" if here == self._path(response.url) else here

    def _onward(self, link: str, call: str) -> str:
        """Give where a list goes on: path and query count, for a proxy in between may have named another host.

        Raises  Unavailable where it is no place of the API
        """
        there = _joined(self._http.base_url, link)
        if there is None or not (path := self._path(there)):
            raise Unavailable(_SIDE, call, code="OTHER_HOST")
        return path

    def _path(self, there: httpx.URL) -> str:
        """Give path and query below our own address; empty where they are none of the API's."""
        raw, prefix = there.raw_path.decode("ascii"), self._http.base_url.path.rstrip("/")
        path = raw.removeprefix(prefix)
        return path if path.startswith(_API) else ""


def _joined(base: httpx.URL, location: str) -> httpx.URL | None:
    """Give where an address leads from another one; None where it is none of the web's."""
    try:
        there = base.join(location)
    except (httpx.InvalidURL, TypeError, ValueError):
        return None
    return there if there.scheme in ("http", "https") and location else None
