"""The bulk lists, patients_list and appointments_list: ask for a page, then look until it is there.

Everything stands in the query string. Every page is a request of its own, and shows what was there when it was asked
for: that moment is inferred, as is that the filters are those of the plain list, inactive patients' included, that a
page behind the last is empty, that no window is needed for appointments, and that asking for a list is a read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins.drchrono.caller import MANAGE_PATIENTS, SCHEDULING, Caller, signed_in
from tests.standins.drchrono.filters import Asked, appointments_asked_for, is_asked, passing, patients_asked_for
from tests.standins.drchrono.remembered import Record, Remembered
from tests.standins.drchrono.scheduling import READ
from tests.standins.drchrono.state import RefusedError

MOST = 1000
INVALID = {"detail": "Invalid uuid specified"}
FAILED = "The request could not be completed. Submit it again."

Matching = Callable[[Asked, Caller], list[Record]]


@dataclass(frozen=True, slots=True)
class Bulk:
    """What one kind of bulk list needs, shows, and may be ordered by; the first order is the default."""

    kind: str
    scopes: str
    permissions: str
    orders: tuple[str, ...]
    matching: Matching


def _passing(table: Remembered, tests: list[Callable[[Record], bool]]) -> list[Record]:
    seen = passing(tests, table.as_listed)
    return [record for record_id in table.records if (record := seen(record_id)) is not None]


def _patients(asked: Asked, caller: Caller) -> list[Record]:
    if not caller.state.settings.bulk_takes_show_inactive:
        asked = {name: value for name, value in asked.items() if name != "show_inactive"}
    return _passing(caller.state.patients, patients_asked_for(asked, caller))


def _appointments(asked: Asked, caller: Caller) -> list[Record]:
    return _passing(caller.state.appointments, appointments_asked_for(asked, caller))


def _number(asked: Asked, name: str, default: int) -> int:
    text = asked.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise RefusedError(400, {name: [f"Enter a number from 1 to {MOST}."]})
    return int(text)


def _complete(bulk: Bulk, asked: Asked, caller: Caller) -> Record:
    """Gives the answer there will be; raises the 400 of a parameter it cannot have."""
    order = asked.get("order_by") or bulk.orders[0]
    if order not in bulk.orders:
        raise RefusedError(400, {"order_by": [f'"{order}" is not a valid choice.']})
    size = min(_number(asked, "page_size", MOST), caller.state.settings.bulk_page_size)
    page = _number(asked, "page", 1)
    found = sorted(bulk.matching(asked, caller), key=itemgetter(order, "id"))
    shown = found[(page - 1) * size : page * size]
    if is_asked(asked, "verbose"):
        shown = [getattr(caller.state, bulk.kind).verbose(record) for record in shown]
    pages = max(1, -(-len(found) // size))
    return {
        "pagination": {"count": len(found), "pages": pages, "page_size": size, "page": page},
        "results": shown,
    }


def _routes(bulk: Bulk) -> list[Route]:
    path = f"/api/{bulk.kind}_list"

    async def submit(request: Request) -> Response:
        caller = signed_in(request, bulk.scopes, bulk.permissions)
        state = caller.state
        complete = _complete(bulk, request.query_params, caller)
        uuid = state.bulk.begin(bulk.kind, caller.user["id"], complete, state.settings.bulk_life_s)
        url = request.base_url.replace(path=path).include_query_params(uuid=uuid)
        return JSONResponse(
            {"status": "In progress", "uuid": uuid, "description": f"Call {url} to get the list"}, status_code=201
        )

    async def look(request: Request) -> Response:
        caller = signed_in(request, bulk.scopes, bulk.permissions)
        uuid, settings = request.query_params.get("uuid", ""), caller.state.settings
        job = caller.state.bulk.look(uuid, bulk.kind, caller.user["id"])
        if job is None:
            return JSONResponse(INVALID, 404)
        job.failed = job.failed or settings.bulk_fails
        if job.failed:
            return JSONResponse({"status": "Failed", "uuid": uuid, "detail": FAILED}, 500)
        if not job.is_made(settings.bulk_polls, settings.bulk_makes_s):
            return JSONResponse({"status": "In progress", "uuid": uuid})
        pagination, results = job.complete["pagination"], job.complete["results"]
        request.scope["call"]["count"] = len(results)
        return JSONResponse({"status": "Complete", "pagination": pagination, "uuid": uuid, "results": results})

    return [Route(path, submit, methods=["POST"]), Route(path, look, methods=["GET"])]


routes = [
    *_routes(Bulk("patients", "patients:read", MANAGE_PATIENTS, ("id", "updated_at"), _patients)),
    *_routes(Bulk("appointments", READ, SCHEDULING, ("scheduled_time", "updated_at"), _appointments)),
]
