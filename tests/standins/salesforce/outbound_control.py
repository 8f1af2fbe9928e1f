"""The control door's other half: what the org tells others, where to, and what became of it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.standins.salesforce.control import ROOT
from tests.standins.salesforce.errors import ApiError
from tests.standins.salesforce.outbound import Outbound
from tests.standins.salesforce.outbound_events import Events
from tests.standins.salesforce.web import answer, body_of
from tests.standins.salesforce.writing import refuse_unreadable


async def outbound(request: Request) -> Response:
    """PUT: outbound messages go there, and so. GET: what became of them (?messages=true: of each). DELETE: no more."""
    ours: Outbound = request.app.state.outbound
    if request.method == "DELETE":
        await ours.end()
        return Response(status_code=204)
    if request.method == "PUT":
        try:
            ours.set_up(refuse_unreadable(await body_of(request)))
        except (ValueError, TypeError) as error:
            raise ApiError("INVALID_FIELD", str(error)) from None
    return answer(ours.shown(with_messages=request.query_params.get("messages") == "true"))


async def events(request: Request) -> Response:
    """POST: platform events go there from now on, instead of where they went. GET: what became of them. DELETE."""
    ours: Events = request.app.state.events
    if request.method == "DELETE":
        await ours.end()
        return Response(status_code=204)
    if request.method == "POST":
        wanted = refuse_unreadable(await body_of(request))
        await ours.end()
        try:
            ours.set_up(wanted)
        except (ValueError, TypeError) as error:
            raise ApiError("INVALID_FIELD", str(error)) from None
    return answer(ours.shown(), 201 if request.method == "POST" else 200)


ROUTES = [
    Route(f"{ROOT}/outbound", outbound, methods=["GET", "PUT", "DELETE"]),
    Route(f"{ROOT}/events", events, methods=["GET", "POST", "DELETE"]),
]
