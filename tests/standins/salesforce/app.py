"""Builds the stand-in: every address it answers, and the layers a call passes on its way in.

Outermost the journal, then faults on demand, then the gate (session, allowance, latency), then the routes. Any
API version is accepted unless a setting names those offered; routes read as Salesforce's reference does.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.standins.calls import Calls, Journalled
from tests.standins.faults import Faults, Faulty
from tests.standins.salesforce import (
    control,
    control_screen,
    discovery,
    files_api,
    ingest,
    listing,
    named_credentials,
    oauth,
    oauth_device,
    outbound_control,
    rows,
    setup,
    soap,
    sobject_collections,
)
from tests.standins.salesforce.errors import ApiError
from tests.standins.salesforce.gate import Gate
from tests.standins.salesforce.metadata import door
from tests.standins.salesforce.metadata.components import Catalog
from tests.standins.salesforce.metadata.shipped import PROJECT, deployed_from
from tests.standins.salesforce.org import Credentials, Org
from tests.standins.salesforce.outbound import Outbound
from tests.standins.salesforce.outbound_events import Events
from tests.standins.salesforce.tls import Abrupt
from tests.standins.salesforce.web import answer

_V = "/services/data/v{version:float}"
_OBJECT = _V + "/sobjects/{kind}"
_MANY = _V + "/composite/sobjects"

ROUTES = [
    Route(_MANY + "/{kind}/{field}", sobject_collections.upsert_many, methods=["PATCH"]),
    Route(_MANY, sobject_collections.create_many, methods=["POST"]),
    Route(_MANY, sobject_collections.update_many, methods=["PATCH"]),
    Route(_MANY, sobject_collections.delete_many, methods=["DELETE"]),
    Route(_V + "/query", listing.query, methods=["GET"]),
    Route(_V + "/queryAll", listing.query_all, methods=["GET"]),
    Route(_V + "/query/{locator}", listing.next_page, methods=["GET"]),
    Route(_V + "/queryAll/{locator}", listing.next_page, methods=["GET"]),
    Route(_V + "/jobs/ingest", ingest.create, methods=["POST"]),
    Route(_V + "/jobs/ingest/{job_id}", ingest.job, methods=["GET", "PATCH"]),
    Route(_V + "/jobs/ingest/{job_id}/batches", ingest.upload, methods=["PUT"]),
    Route(_V + "/jobs/ingest/{job_id}/{which}", ingest.results, methods=["GET"]),
    Route(_V + "/named-credentials/credential", named_credentials.set_credential, methods=["POST", "PUT"]),
    Route(_V + "/limits", discovery.limits, methods=["GET"]),
    Route(_V + "/sobjects", discovery.all_objects, methods=["GET"]),
    Route(_OBJECT + "/describe", discovery.describe, methods=["GET"]),
    Route(_OBJECT + "/updated", listing.updated, methods=["GET"]),
    Route(_OBJECT + "/deleted", listing.deleted, methods=["GET"]),
    Route(_OBJECT, rows.create, methods=["POST"]),
    Route(_OBJECT + "/{record_id}/VersionData", files_api.download, methods=["GET"]),
    Route(_OBJECT + "/{record_id}", rows.by_id, methods=["GET", "PATCH", "DELETE"]),
    Route(_OBJECT + "/{field}/{value:path}", rows.by_external_id, methods=["GET", "PATCH", "DELETE"]),
    Route(_V, discovery.resources, methods=["GET"]),
    Route("/services/data", discovery.versions, methods=["GET"]),
    Route("/services/Soap/u/{version:float}", soap.call, methods=["POST"]),
    Route("/services/Soap/m/{version:float}", door.call, methods=["POST"]),
    Route("/services/oauth2/token", oauth.token, methods=["POST"]),
    Route("/services/oauth2/userinfo", discovery.whoami, methods=["GET"]),
    Route("/id/{org_id}/{user_id}", discovery.whoami, methods=["GET"]),
]


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return answer(error.as_body(), error.status)


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"HTTP Method '{request.method}' not allowed. Allowed are {allowed}"
        return answer([{"message": message, "errorCode": "METHOD_NOT_ALLOWED"}], 405)
    return answer([{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}], error.status_code)


def _throttled() -> Response:
    message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    return answer([{"message": message, "errorCode": "REQUEST_LIMIT_EXCEEDED"}], 403)


def create_app(
    *,
    credentials: Credentials | None = None,
    latency_s: float = 0.0,
    now: Callable[[], datetime] | None = None,
    package: Catalog | None = None,
) -> Any:
    """An org of its own behind an ASGI app; the org is at `app.state.org`.

    `package` is what was deployed to it and to whose permission set the integration user belongs: ours unless given.
    """
    credentials = credentials or Credentials()
    deployed = deployed_from(PROJECT, credentials.username) if package is None else package
    org = Org(credentials, latency_s=latency_s, now=now, package=deployed)
    calls, faults = Calls(), Faults(_throttled)
    outbound, events = Outbound(org), Events(org)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await outbound.end()
        await events.end()

    app = Starlette(
        routes=[
            *calls.routes(),
            *faults.routes(),
            *control.ROUTES,
            *control_screen.ROUTES,
            *setup.ROUTES,
            *oauth_device.ROUTES,
            *outbound_control.ROUTES,
            *ROUTES,
        ],
        middleware=[
            Middleware(Abrupt),
            Middleware(Journalled, calls=calls),
            Middleware(Faulty, faults=faults),
            Middleware(Gate, org=org),
        ],
        exception_handlers={ApiError: _refused, HTTPException: _unrouted},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.org, app.state.calls, app.state.faults = org, calls, faults
    app.state.outbound, app.state.events = outbound, events
    return app
