"""Lists, a page at a time: what a cursor means, and how a page names its neighbours.

A cursor names the record it starts behind, so whoever follows `next` meets everyone once, whatever comes or goes.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.state import RefusedError, state_of


def listed(request: Request, keys: Sequence[Any], seen: Any, *, most: int) -> tuple[list[Record], Any]:
    """Gives one page of records, and the function that wraps them as a list answer.

    `keys` are in the order of the list, and `seen` answers None for one that this list does not show.
    """
    try:
        size = min(max(int(request.query_params.get("page_size", most)), 1), most)
        found = page(keys, seen, size, request.query_params.get("cursor"))
    except ValueError as error:
        raise RefusedError(404, {"detail": "Invalid cursor"}) from error
    request.scope["call"]["count"] = len(found.records)

    def link(cursor: str | None) -> str | None:
        return cursor and str(_as_told(request).include_query_params(cursor=cursor))

    def wrapped(results: list[Record]) -> Response:
        return JSONResponse({"previous": link(found.previous), "results": results, "next": link(found.next)})

    return found.records, wrapped


def _as_told(request: Request) -> URL:
    """Gives the address of a call as the vendor's server believes it to be."""
    match state_of(request).settings.next_links:
        case "http":
            return request.url.replace(scheme="http", port=None)
        case "inner":
            return request.url.replace(scheme="http", netloc="web-7.internal:8000")
    return request.url


class Page(NamedTuple):
    """One page, and the cursors of its neighbours (None at an end)."""

    records: list[Record]
    previous: str | None
    next: str | None


def page(keys: Sequence[Any], seen: Callable[[Any], Record | None], size: int, cursor: str | None) -> Page:
    """Gives the page a cursor names; raises ValueError for a cursor that is none of ours."""
    place = _opened(cursor)
    backward, is_text = "r" in place, bool(keys) and isinstance(keys[0], str)
    at = place.get("p") if is_text or not place else int(place["p"])

    def wanted() -> Iterator[tuple[Any, Record]]:
        start = 0 if at is None else bisect_right(keys, at)
        for index in range(bisect_left(keys, at) - 1, -1, -1) if backward else range(start, len(keys)):
            record = seen(keys[index])
            if record is not None:
                yield keys[index], record

    found = []
    for each in wanted():
        found.append(each)
        if len(found) > size:
            break
    more = len(found) > size
    found = found[:size][::-1] if backward else found[:size]
    if not found:
        return Page([], None, None)
    before = _sealed(p=found[0][0], r=1) if (more if backward else at) else None
    after = _sealed(p=found[-1][0]) if (backward or more) else None
    return Page([record for _, record in found], before, after)


def _sealed(**place: Any) -> str:
    return urlsafe_b64encode(urlencode(place).encode()).decode().rstrip("=")


def _opened(cursor: str | None) -> dict[str, str]:
    """Raises ValueError for a cursor that is none of ours."""
    if not cursor:
        return {}
    text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    place = dict(parse_qsl(text, strict_parsing=True))
    if "p" not in place:
        raise ValueError("no place")
    return place
