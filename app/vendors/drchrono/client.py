"""DrChrono over HTTP: one method per call we make.

Every call carries the pinned API version. On 401 the stored token is re-read and the call repeated once, then the
token refreshed once; DrChrono's refresh tokens are single use, so all of that goes through the broker. Every call is
counted before it is made, in the lane it is made for: DrChrono counts them by the hour.
"""

import asyncio
import copy
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self
from urllib.parse import quote, urlencode

import httpx

from app.errors import Gone, OutcomeUnknown, Rejected, SyncError, Unavailable, Unreadable
from app.ports import TokenStore
from app.sync.failure_causes import OVERLAPS, TWIN_CODE
from app.sync.model import Lane, Side
from app.timings import REAL, TOKEN_LEASE
from app.vendors import http
from app.vendors.drchrono import wire
from app.vendors.drchrono.oauth import DrChronoGrant
from app.vendors.token_broker import Broker, OnRefusal, Policy

_HEADERS = {"X-DRC-API-Version": "v4", "Accept": "application/json"}
_SIDE = Side.DRCHRONO.value
_AT_ONCE, _AT_ONCE_BEHIND = 4, 3  # of one process: live edits; all the rest
_TWIN = "potential duplicate"  # DrChrono's words, with a 400 or a 409, under whatever key
_OVERLAP = re.compile(r"overlaps with(?: appointment)?[^\w]*(\w[\w-]{0,40})", re.IGNORECASE | re.ASCII)
_BUSY_S = 60.0  # heavy use is answered with 403s too, which are no lost permission
BULK_ROWS = 1000
# between looks, each of which is a call: a page takes seconds to be made, and an hour at most
BULK_WAITS_S = (3.0, 7.0, 15.0, *(20.0,) * 20)
_NO_BULK = (httpx.codes.NOT_FOUND, httpx.codes.FORBIDDEN, httpx.codes.METHOD_NOT_ALLOWED)
_TOKENS_TRIED = 3  # the one we had, the one stored meanwhile, a fresh one


@dataclass(frozen=True, slots=True)
class _Write:
    fields: dict[str, Any]
    may_start: Callable[[], None]


class DrChrono:
    """The connected practice."""

    def __init__(
        self, grant: DrChronoGrant, store: TokenStore, context: Any, tell: OnRefusal, lease: timedelta = TOKEN_LEASE
    ) -> None:
        self._http = http.client(grant.base_url, context, headers=_HEADERS)
        self._gates = {
            is_live: asyncio.Semaphore(_AT_ONCE if is_live else _AT_ONCE_BEHIND) for is_live in (True, False)
        }
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
        """Give one record as DrChrono holds it now, None when it is gone or not shown to us.

        Raises  Unavailable, Unauthorized, Rejected, Unreadable
        """
        call = f"GET {path}/{{id}}"
        try:
            response = await self._called("GET", f"{path}/{quote(record_id, safe='')}", call)
        except Gone:
            return None
        try:
            record = response.json()
            if wire.record_id(record) != record_id:
                raise Unreadable(_SIDE, call, status=response.status_code, code="OTHER_RECORD")
        except (ValueError, AttributeError):
            raise Unreadable(_SIDE, call, status=response.status_code, code="NOT_JSON") from None
        return dict(record)

    async def update(
        self, path: str, record_id: str, fields: dict[str, Any], may_start: Callable[[], None] = lambda: None
    ) -> None:
        """Change exactly these fields of a record; DrChrono answers without a body.

        may_start  raises where the request may not be sent any more; asked right before it is
        Raises     Unavailable, OutcomeUnknown, Unauthorized, Gone; Rejected, naming the fields DrChrono complains of
        """
        call = f"PATCH {path}/{{id}}"
        write = _Write(fields, may_start)
        response = await self._signed("PATCH", f"{path}/{quote(record_id, safe='')}", call, write)
        if not response.is_success:
            raise _complaint(response, call)

    async def create(
        self, path: str, fields: dict[str, Any], may_start: Callable[[], None] = lambda: None
    ) -> dict[str, Any]:
        """Make a record of these fields and give it as DrChrono answered; a second call would make a second one.

        may_start  as for `update`
        Raises     Unavailable, OutcomeUnknown, Unauthorized; Rejected, naming the fields DrChrono complains of, or
                   with the code of a record that it takes for one it has
        """
        call = f"POST {path}"
        response = await self._signed("POST", path, call, _Write(fields, may_start))
        if not response.is_success:
            error = _complaint(response, call)
            raise Rejected(_SIDE, call, status=error.status) if isinstance(error, Gone) else error
        try:
            record = dict(response.json())
            wire.record_id(record)
        except (ValueError, TypeError):  # it was made, and we cannot tell which it is
            raise OutcomeUnknown(_SIDE, call, status=response.status_code, code="ANSWER_DOES_NOT_FIT") from None
        return record

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
        url = self._here(place, call) if place else (f"{path}?{urlencode(asked)}" if asked else path)
        while url not in seen:
            seen.add(url)
            response = await self._called("GET", url, call)
            try:
                records, onward = wire.page(response.json())
            except ValueError:
                raise Unreadable(_SIDE, call, status=response.status_code, code="NO_RECORDS") from None
            url = self._here(onward, call) if onward is not None else ""
            yield records, url
            if not url:
                return
        raise Unreadable(_SIDE, call, code="ENDLESS_LIST")

    async def bulk(self, path: str, asked: Mapping[str, str], number: int) -> wire.BulkPage | None:
        """Give a page of a bulk list, from 1; None where DrChrono has no such list for us.

        It takes one call to ask for the page and some, ever further apart, to look whether it is there.
        Raises  as `read`; Unavailable when the page was not made
        """
        call, url = f"POST {path}_list", f"{path}_list"
        query = urlencode({**asked, "page": number, "page_size": BULK_ROWS})
        response = await self._signed("POST", f"{url}?{query}", call)
        if response.status_code in _NO_BULK:
            return None
        if not response.is_success:
            raise http.refused(response, _SIDE, call)
        call = f"GET {path}_list"
        try:
            uuid = wire.bulk_id(response.json())
            for wait_s in self.bulk_waits_s:
                await asyncio.sleep(wait_s)
                response = await self._signed("GET", f"{url}?{urlencode({'uuid': uuid})}", call)
                if not response.is_success:
                    break
                if (found := wire.bulk_page(response.json(), number, BULK_ROWS)) is not None:
                    return found
        except ValueError:
            raise Unreadable(_SIDE, call, status=response.status_code, code="NO_RECORDS") from None
        raise Unavailable(_SIDE, call, status=response.status_code, code="BULK_NOT_MADE", retry_in_s=_BUSY_S)

    async def user(self, token: str | None = None) -> wire.User:
        """Give whose consent we hold, or whose a token is that is not stored yet.

        Raises  Unauthorized, Unavailable, Rejected, Unreadable
        """
        call = "GET /api/users/current"
        url = "/api/users/current"
        for _ in range(2):  # it redirects to the user's own address; the token goes to no other host
            response = await self._got(url, call, token)
            if not response.is_redirect:
                break
            url = self._here(response.headers.get("location", ""), call)
        if not response.is_success:
            raise http.refused(response, _SIDE, call)
        try:
            return wire.user(response.json())
        except ValueError:
            raise Unreadable(_SIDE, call, status=response.status_code, code="NO_USER") from None

    async def doctor(self, doctor_id: str, token: str) -> dict[str, Any] | None:
        """Give a doctor's record, asked for with a token that is not stored yet; None when it is not shown.

        Raises  as `user`
        """
        response = await self._got(f"/api/doctors/{quote(doctor_id, safe='')}", "GET /api/doctors/{id}", token)
        try:
            return dict(response.json()) if response.is_success else None
        except (ValueError, TypeError):
            return None

    async def close(self) -> None:
        """Let the connections go, once a token that is on its way has been stored."""
        await self.broker.close()
        await self._http.aclose()
        await self.grant.close()

    async def _called(self, method: str, url: str, call: str) -> httpx.Response:
        response = await self._signed(method, url, call)
        if response.is_success:
            return response
        raise http.refused(response, _SIDE, call)

    async def _got(self, url: str, call: str, token: str | None) -> httpx.Response:
        if token is None:
            return await self._signed("GET", url, call)
        return await self._sent("GET", url, call, token)

    async def _signed(self, method: str, url: str, call: str, write: _Write | None = None) -> httpx.Response:
        token = await self.broker.current()
        for _ in range(_TOKENS_TRIED):
            response = await self._sent(method, url, call, token.value, write)
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return response
            if token.is_fresh:
                break
            token = await self.broker.renewed(token)
        if await self.broker.refuse(token, "HTTP_401"):
            return response
        raise Unavailable(_SIDE, call, code="TOKEN_MOVED", retry_in_s=1.0)

    async def _sent(self, method: str, url: str, call: str, token: str, write: _Write | None = None) -> httpx.Response:
        headers, fields = {"Authorization": f"Bearer {token}"}, None if write is None else write.fields
        budget = self.grant.budget
        try:
            async with self._gates[self.lane is Lane.LIVE]:
                await self.before(call)
                await budget.spend(self.lane, call)
                if write is not None:
                    write.may_start()
                async with asyncio.timeout(None if write is None else self.timings.call_s):
                    response = await self._http.request(method, url, headers=headers, json=fields)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            budget.heard(None)
            await budget.failed()
            raise http.translated(error, _SIDE, call, writes=write is not None) from None
        except TimeoutError:
            budget.heard(None)
            await budget.failed()
            raise OutcomeUnknown(_SIDE, call, code="NO_ANSWER") from None
        budget.heard(response.status_code)
        await budget.answered(response.status_code, http.wait_s(response))
        if response.status_code == httpx.codes.FORBIDDEN and await budget.was_throttled():
            raise Unavailable(_SIDE, call, status=response.status_code, retry_in_s=_BUSY_S)
        return response

    def _here(self, location: str, call: str) -> str:
        """Give where DrChrono sends us, if that is DrChrono: the token goes to no other host.

        Raises  Unreadable
        """
        base = self._http.base_url
        try:
            url = base.join(location)
        except (httpx.InvalidURL, TypeError):
            url = httpx.URL("")
        if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port) or not location:
            raise Unreadable(_SIDE, call, code="OTHER_HOST")
        return str(url)


def _complaint(response: httpx.Response, call: str) -> SyncError:
    """Give our error for a refused write, with the names of the fields DrChrono names; never what it says of them."""
    error = http.refused(response, _SIDE, call, writes=True)
    if not isinstance(error, Rejected):
        return error
    if error.status == httpx.codes.CONFLICT and (found := _OVERLAP.search(response.text)) is not None:
        return Rejected(_SIDE, call, status=error.status, code=f"{OVERLAPS}{found[1]}")
    if error.status in (httpx.codes.BAD_REQUEST, httpx.codes.CONFLICT) and _TWIN in response.text.casefold():
        return Rejected(_SIDE, call, status=error.status, code=TWIN_CODE)
    try:
        named = response.json()
    except ValueError:
        named = None
    fields = http.names_in([name for name in named if name != "detail"]) if isinstance(named, dict) else ()
    return Rejected(_SIDE, call, status=error.status, fields=fields)
