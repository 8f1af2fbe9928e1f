"""Many records: query and queryAll with their pages, and what was updated or deleted in a span of time."""

import re
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tests.standins.salesforce.errors import ApiError, not_found
from tests.standins.salesforce.query import Found, run
from tests.standins.salesforce.values import read_moment, stamp
from tests.standins.salesforce.web import answer, note_call, org_of, version_of

FEWEST, MOST = 200, 2000
UPDATED_DAYS, DELETED_DAYS = 30, 15


async def query(request: Request) -> Response:
    """GET query?q=."""
    return _first_page(request, deleted=False)


async def query_all(request: Request) -> Response:
    """GET queryAll?q=, which finds deleted records too."""
    return _first_page(request, deleted=True)


def _first_page(request: Request, *, deleted: bool) -> Response:
    text = request.query_params.get("q")
    if text is None:
        raise ApiError("MALFORMED_QUERY", "A query string has to be specified")
    found = run(org_of(request), text, deleted=deleted)
    return _page(request, found, 0, _page_rows(request), None)


async def next_page(request: Request) -> Response:
    """GET the nextRecordsUrl of an earlier answer."""
    locator, _, offset = request.path_params["locator"].partition("-")
    cursor = org_of(request).cursors.get(locator)
    if cursor is None or not offset.isdigit():
        raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
    found, page_rows = cursor
    return _page(request, found, int(offset), page_rows, locator)


def _page(request: Request, found: Found, offset: int, page_rows: int, locator: str | None) -> Response:
    version = version_of(request)
    rows = found.rows[offset : offset + page_rows]
    note_call(request, rows=len(rows))
    body: dict[str, Any] = {"totalSize": found.total, "done": offset + len(rows) >= len(found.rows)}
    if not body["done"]:
        locator = locator or org_of(request).keep_cursor((found, page_rows))
        body["nextRecordsUrl"] = f"/services/data/{version}/query/{locator}-{offset + page_rows}"
    body["records"] = [found.write(row, version) for row in rows]
    return answer(body)


def _page_rows(request: Request) -> int:
    wanted = re.search(r"batchsize=(\d+)", request.headers.get("sforce-query-options", "").replace(" ", "").lower())
    return min(max(int(wanted[1]), FEWEST), MOST) if wanted else org_of(request).settings.page_rows


async def updated(request: Request) -> Response:
    """GET sobjects/Kind/updated?start=&end=."""
    table = org_of(request).table(request.path_params["kind"])
    start, end, latest = _span(request, UPDATED_DAYS)
    moved = reversed(table.moved_since(start))
    ids = [row["Id"] for row in moved if row["SystemModstamp"] < end and not row["IsDeleted"]]
    return answer({"ids": ids, "latestDateCovered": latest})


async def deleted(request: Request) -> Response:
    """GET sobjects/Kind/deleted?start=&end=."""
    org = org_of(request)
    table = org.table(request.path_params["kind"])
    start, end, latest = _span(request, DELETED_DAYS)
    gone = [
        {"id": record_id, "deletedDate": grave.at}
        for record_id, grave in table.graves.items()
        if start <= grave.at < end
    ]
    earliest = stamp(org.now() - timedelta(days=DELETED_DAYS))
    return answer({"deletedRecords": gone, "earliestDateAvailable": earliest, "latestDateCovered": latest})


def _span(request: Request, days: int) -> tuple[str, str, str]:
    now = org_of(request).now()
    start, end = (_moment(request, name) for name in ("start", "end"))
    if start >= end:
        raise ApiError("INVALID_REPLICATION_DATE", "startDate must be before endDate")
    if start < now - timedelta(days=days):
        raise ApiError("INVALID_REPLICATION_DATE", f"startDate cannot be more than {days} days ago")
    return stamp(start), stamp(end), stamp(min(end, now))


def _moment(request: Request, name: str) -> datetime:
    # A plus sign that was not percent-encoded arrives as a space.
    given = request.query_params.get(name, "").replace(" ", "+")
    moment = read_moment(given)
    if moment is None:
        raise ApiError("INVALID_REPLICATION_DATE", f"{name}: invalid date: {given}") if given else _missing(name)
    return moment


def _missing(name: str) -> ApiError:
    return ApiError("MISSING_ARGUMENT", f"{name} is required")


async def nowhere(request: Request) -> Response:
    """Any address that is no resource."""
    raise not_found()
