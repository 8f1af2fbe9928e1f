"""DrChrono's bulk lists: a thousand records a page, and each page is asked for, made over there, and looked for.

A page takes seconds to be made, an hour at most, and is kept for an hour. So the pages to come are asked for while the
one before is worked on, a few at a time, and each is looked for only once its turn has come: that saves time and costs
no call. Whoever dies on the way leaves no more behind than those few. Pages are asked for ahead only while the hour has
the calls to fetch them all, so the last calls of an hour fetch what was asked for already.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx

from app.errors import Gone, Rejected, Unavailable
from app.sync.failure_causes import HOUR_IS_SPENT, SECONDS_ARE_FULL
from app.sync.model import Side
from app.vendors.drchrono import answers, wire
from app.vendors.drchrono.client import DrChrono

ROWS = 1000
REQUESTED_AT_ONCE = 12
NO_BULK = (httpx.codes.NOT_FOUND, httpx.codes.GONE, httpx.codes.FORBIDDEN, httpx.codes.METHOD_NOT_ALLOWED)
_SIDE = Side.DRCHRONO.value
_BUSY_S = 60.0
_CALLS_OF_A_PAGE = 2  # one to ask for it, and a look at least
_NO_CALLS = (HOUR_IS_SPENT, SECONDS_ARE_FULL)
_WORTH_A_WAIT_S = 30.0  # for a call to look with: the page would have to be asked for again


@dataclass(frozen=True, slots=True)
class RequestedPage:
    """A page that was asked for, by its number from 1; `uuid`: what it is looked for by; `at`: when, by the loop."""

    number: int
    uuid: str
    at: float


async def bulk_pages(
    client: DrChrono, path: str, asked: Mapping[str, str], first: int = 1
) -> AsyncGenerator[wire.BulkPage]:
    """Give the pages of a bulk list from one on, in order; none where DrChrono has no such list for us.

    It takes one call to ask for a page, and some, ever further apart, to look whether it is there.
    Raises  as `DrChrono.read`; Unavailable when a page was not made
    """
    requested = deque[RequestedPage]()
    following = last = first
    while True:
        while following <= last and await _may_request(client, len(requested)):
            found = await _requested(client, path, asked, following)
            if found is None and following == first:
                return
            if found is None:  # the pages before are no list without it
                raise _not_made(f"POST {path}_list", httpx.codes.NOT_FOUND)
            requested.append(found)
            following += 1
        page = await _made(client, path, requested.popleft())
        last = max(last, page.pages)
        yield page
        if page.is_last:
            return


async def _may_request(client: DrChrono, requested: int) -> bool:
    """Say whether one page more may be asked for beside those that were: the one whose turn it is always may."""
    if not requested:
        return True
    return requested < REQUESTED_AT_ONCE and await client.has_calls(_CALLS_OF_A_PAGE * (requested + 1))


async def _requested(client: DrChrono, path: str, asked: Mapping[str, str], number: int) -> RequestedPage | None:
    """Ask for a page; None where DrChrono has no such list for us."""
    query = urlencode({**asked, "page": number, "page_size": ROWS})
    try:
        uuid = await client.called("POST", f"{path}_list?{query}", f"POST {path}_list", answers.BULK_BEGUN)
    except (Gone, Rejected, Unavailable) as error:  # also with a page: the plain lists do, and cost calls alone
        if error.status in NO_BULK:
            return None
        raise
    return RequestedPage(number, uuid, asyncio.get_running_loop().time())


async def _made(client: DrChrono, path: str, requested: RequestedPage) -> wire.BulkPage:
    """Give a page that was asked for, once it is there; it was being made while it waited for its turn."""
    call, wanted = f"GET {path}_list", answers.bulk_page(requested.number, ROWS)
    url = f"{path}_list?{urlencode({'uuid': requested.uuid})}"
    passed_s = asyncio.get_running_loop().time() - requested.at
    for wait_s in client.bulk_waits_s:
        await asyncio.sleep(max(wait_s - passed_s, 0.0))
        passed_s = 0.0
        try:
            found = await client.called("GET", url, call, wanted)
        except (Gone, Rejected) as error:  # it is forgotten
            raise _not_made(call, error.status) from None
        except Unavailable as error:
            if error.cause in _NO_CALLS and error.retry_in_s is not None and error.retry_in_s <= _WORTH_A_WAIT_S:
                await asyncio.sleep(error.retry_in_s)
            elif error.status == httpx.codes.INTERNAL_SERVER_ERROR:  # it failed
                raise _not_made(call, error.status) from None
            else:
                raise
        else:
            if found is not None:
                return found
    raise _not_made(call, httpx.codes.OK)


def _not_made(call: str, status: int | None) -> Unavailable:
    return Unavailable(_SIDE, call, status=status, code="BULK_NOT_MADE", retry_in_s=_BUSY_S)
