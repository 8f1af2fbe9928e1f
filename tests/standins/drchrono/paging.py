"""Lists, a page at a time: what a cursor means, and how a page names its neighbours.

A cursor names the record it starts behind, so whoever follows `next` meets everyone once, whatever comes or goes.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.standins.drchrono.records import Record
from tests.standins.drchrono.state import RefusedError


def listed(request: Request, ids: Any, seen: Any, *, most: int) -> tuple[list[Record], Any]:
    """Gives one page of records, and the function that wraps them as a list answer."""
    try:
        size = min(max(int(request.query_params.get("page_size", most)), 1), most)
        found = page(ids, seen, size, request.query_params.get("cursor"))
    except ValueError as error:
        raise RefusedError(404, {"detail": "Invalid cursor"}) from error
    request.scope["call"]["count"] = len(found.records)

    def link(cursor: str | None) -> str | None:
        return cursor and str(request.url.include_query_params(cursor=cursor))

    def wrapped(results: list[Record]) -> Response:
        return JSONResponse({"previous": link(found.previous), "results": results, "next": link(found.next)})

    return found.records, wrapped


class Page(NamedTuple):
    """One page, and the cursors of its neighbours (None at an end)."""

    records: list[Record]
    previous: str | None
    next: str | None


def page(ids: Sequence[int], seen: Callable[[int], Record | None], size: int, cursor: str | None) -> Page:
    """Gives the page a cursor names; `seen` answers None for a record that this list does not show."""
    place = _opened(cursor)
    at, backward = int(place.get("p", 0)), "r" in place

    def wanted() -> Iterator[Record]:
        where = range(bisect_left(ids, at) - 1, -1, -1) if backward else range(bisect_right(ids, at), len(ids))
        for index in where:
            record = seen(ids[index])
            if record is not None:
                yield record

    found = []
    for record in wanted():
        found.append(record)
        if len(found) > size:
            break
    more = len(found) > size
    found = found[:size][::-1] if backward else found[:size]
    if not found:
        return Page([], None, None)
    before = _sealed(p=found[0]["id"], r=1) if (more if backward else at) else None
    after = _sealed(p=found[-1]["id"]) if (backward or more) else None
    return Page(found, before, after)


def _sealed(**place: int) -> str:
    return urlsafe_b64encode(urlencode(place).encode()).decode().rstrip("=")


def _opened(cursor: str | None) -> dict[str, str]:
    """Raises ValueError for a cursor that is none of ours."""
    if not cursor:
        return {}
    text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    place = dict(parse_qsl(text, strict_parsing=True))
    int(place.get("p", "none"))
    return place
