"""Who works at the caller's practice, to read: users, doctors, offices, and which of the users is calling."""

from operator import attrgetter

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.standins.drchrono.caller import NOT_ALLOWED, NOT_FOUND, signed_in
from tests.standins.drchrono.paging import listed
from tests.standins.drchrono.remembered import Record
from tests.standins.drchrono.state import RefusedError

ELSEWHERE = "https://elsewhere.example"


async def who_am_i(request: Request) -> Response:
    caller = signed_in(request)
    path = f"/api/users/{caller.user['id']}"
    match caller.state.settings.users_current_redirect:
        case "relative":
            return RedirectResponse(path, 302)
        case "elsewhere":
            return RedirectResponse(f"{ELSEWHERE}{path}", 302)
    return RedirectResponse(str(request.base_url.replace(path=path)), 302)


def _read_only(name: str, key: type[int] | type[str], scope: str) -> list[Route]:
    """Gives the list and the item route of one table of `People`."""
    table = attrgetter(f"people.{name}")

    async def several(request: Request) -> Response:
        caller, doctor = signed_in(request, scope), request.query_params.get("doctor", "")
        records = table(caller.state)

        def seen(record_id: int) -> Record | None:
            record = records[key(record_id)]
            if doctor and str(record.get("doctor", record["id"])) != doctor:
                return None
            return record if caller.works_with(record) else None

        found, wrapped = listed(request, sorted(map(int, records)), seen, most=caller.state.settings.page_size)
        return wrapped(found)

    async def one(request: Request) -> Response:
        caller = signed_in(request, scope)
        text = request.path_params["id"]
        record = table(caller.state).get(key(text)) if text.isdecimal() else None
        if record is None:
            raise RefusedError(404, NOT_FOUND)
        if not caller.works_with(record):
            raise RefusedError(403, NOT_ALLOWED)
        return JSONResponse(record)

    return [Route(f"/api/{name}", several, methods=["GET"]), Route(f"/api/{name}/{{id}}", one, methods=["GET"])]


routes = [
    Route("/api/users/current", who_am_i, methods=["GET"]),
    *_read_only("users", str, ""),
    *_read_only("doctors", int, "user:read"),
    *_read_only("offices", int, "user:read"),
]
