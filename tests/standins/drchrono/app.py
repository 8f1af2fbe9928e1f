"""Puts the DrChrono stand-in together: vendor URLs, control door, journal, faults, quota."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.standins.calls import Journalled
from tests.standins.drchrono import (
    api,
    bulk,
    control,
    control_deliveries,
    control_documents,
    control_people,
    control_schedule,
    control_screen,
    documents_api,
    file_host,
    oauth,
    practice,
    scheduling,
)
from tests.standins.drchrono.moved import Moved
from tests.standins.drchrono.quota import Metered
from tests.standins.drchrono.state import RefusedError, Settings, State, refuse
from tests.standins.faults import Faulty


async def _not_offered(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    complaints = {404: "Not found.", 405: f'Method "{request.method}" not allowed.'}
    return JSONResponse({"detail": complaints.get(error.status_code, error.detail)}, error.status_code)


# one more than the first, as staff sign in by
OTHERS = {"standin-sign-in": "standin-sign-in-secret"}


def create_app(
    client_id: str = "standin-client",
    client_secret: str = "standin-secret",
    redirect_uris: Iterable[str] = (),
    others: Mapping[str, str] = OTHERS,
    **settings: Any,
) -> Starlette:
    """Gives a fresh practice; `settings` are those of the control door, and what a reset goes back to.

    others  further API applications, each with its secret
    """
    state = State(client_id, client_secret, Settings(redirect_uris=tuple(redirect_uris), **settings), others)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with state.dispatcher.open():
            yield

    app = Starlette(
        routes=[
            *api.routes,
            *scheduling.routes,
            *bulk.routes,
            *documents_api.routes,
            *file_host.routes,
            *practice.routes,
            *oauth.routes,
            *control.routes,
            *control_deliveries.routes,
            *control_documents.routes,
            *control_people.routes,
            *control_screen.routes,
            *control_schedule.routes,
            *state.calls.routes(),
            *state.faults.routes(),
        ],
        middleware=[
            Middleware(Journalled, calls=state.calls),
            Middleware(Faulty, faults=state.faults),
            Middleware(Metered, state=state),
            Middleware(Moved, state=state),
        ],
        exception_handlers={RefusedError: refuse, HTTPException: _not_offered},
        lifespan=lifespan,
    )
    # The vendor does not mend a slash: a redirect would drop the Authorization header of most clients.
    app.router.redirect_slashes = False
    app.state.standin = state
    return app
