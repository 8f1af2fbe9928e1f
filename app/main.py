"""The web app: webhooks, probes, the API and the console, joined over one runtime."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match, Route

from app.compat import settle_memory
from app.errors import DeliveryRefused, Misconfigured, OtherInstance, StoreUnavailable, VendorError
from app.log import log
from app.metrics.definitions import GROUP_SIZE
from app.operations.activity import sum_up_when_due
from app.operations.health.monitor import HealthMonitor
from app.operations.metrics import MetricsReader
from app.operations.selfcheck import CheckRuns, SettingsOrigin
from app.operations.sign_in import SignIn
from app.operations.throttle import Throttle
from app.periodic import Supervisor
from app.ports import Delivery
from app.runtime import open_inbox, open_runtime
from app.settings import env_file
from app.settings.fields import Settings
from app.store.counters import SAVED_EVERY_S
from app.vendors.rate_limit.bucket import TokenBuckets
from app.web import probes
from app.web.admission import API, Admission, Webhook, names_of
from app.web.api import activity as activity_api
from app.web.api import appointments as appointments_api
from app.web.api import attention as attention_api
from app.web.api import audit as audit_api
from app.web.api import backfill as backfill_api
from app.web.api import check as check_api
from app.web.api import conflicts as conflicts_api
from app.web.api import connections as connections_api
from app.web.api import deliveries as deliveries_api
from app.web.api import documents as documents_api
from app.web.api import failures as failures_api
from app.web.api import held as held_api
from app.web.api import mapping as mapping_api
from app.web.api import notices as notices_api
from app.web.api import overview as overview_api
from app.web.api import patients as patients_api
from app.web.api import queue as queue_api
from app.web.api import queues as queues_api
from app.web.api import records as records_api
from app.web.console import appointments as appointments_pages
from app.web.console import attention as attention_pages
from app.web.console import audit as audit_pages
from app.web.console import backfill as backfill_pages
from app.web.console import check as check_pages
from app.web.console import conflicts as conflicts_pages
from app.web.console import connections as connections_pages
from app.web.console import deliveries as deliveries_pages
from app.web.console import federated_sign_in, login, oauth
from app.web.console import help as help_pages
from app.web.console import lookup as lookup_pages
from app.web.console import mapping as mapping_pages
from app.web.console import notices as notices_pages
from app.web.console import overview as overview_pages
from app.web.console import patients as patients_pages
from app.web.console import queues as queues_pages
from app.web.console import records as records_pages
from app.web.console import reference as reference_pages
from app.web.console import review as review_pages
from app.web.pages import PageMessage, PageRefused, capital, is_for_a_person, message_page, redirect
from app.web.validation import refuse_invalid
from app.web.webhooks import drchrono, salesforce
from app.web.webhooks.receive import LargeBodies

# whatever the console can do, a script can do by the API
_API = (
    overview_api,
    activity_api,
    queue_api,
    patients_api,
    appointments_api,
    records_api,
    documents_api,
    failures_api,
    attention_api,
    held_api,
    conflicts_api,
    deliveries_api,
    queues_api,
    mapping_api,
    backfill_api,
    connections_api,
    notices_api,
    check_api,
    audit_api,
)
_PAGES = (
    overview_pages,
    lookup_pages,
    patients_pages,
    appointments_pages,
    records_pages,
    attention_pages,
    review_pages,
    conflicts_pages,
    deliveries_pages,
    queues_pages,
    mapping_pages,
    backfill_pages,
    connections_pages,
    notices_pages,
    check_pages,
    audit_pages,
    help_pages,
    reference_pages,
)


_LIMITS = {
    "/webhooks/drchrono": drchrono.MOST_BYTES,
    "/webhooks/salesforce/events": salesforce.MOST_EVENT_BYTES,
    "/webhooks/salesforce/outbound/": salesforce.MOST_MESSAGE_BYTES,
}
_WEBHOOKS = {"/webhooks/drchrono": drchrono.receive, "/webhooks/salesforce/events": salesforce.receive_events}
_REFUSALS_EVERY_S, _SUMMED_EVERY_S = 60.0, 60.0
_PROBLEMS = {
    404: ("Page not found", "There is no page at this address."),
    405: ("That does not work here", "This address takes no request of that kind. Nothing was done."),
    422: ("That could not be read", "What was sent does not fit this page. Nothing was done."),
}


def _routes_of(*parts: Any) -> list[BaseRoute]:
    """Give the routes of modules or routers; they know no settings, so every app of a process shares them."""
    return [route for part in parts for route in part.router.routes]


_PAGE_ROUTES = _routes_of(*_PAGES)
_ROUTES = [
    Route("/webhooks/drchrono", drchrono.receive, methods=["POST"]),
    *_routes_of(drchrono, salesforce, probes, *_API),
    *_PAGE_ROUTES,
    *_routes_of(login, federated_sign_in, oauth),
]


def _webhook(path: str) -> Webhook | None:
    """Give what takes the deliveries that come to a path; the same is among the routes, which describe it."""
    beginning, _, token = path.rpartition("/")
    if beginning == "/webhooks/salesforce/outbound":
        return partial(salesforce.receive_message, token=token)
    return _WEBHOOKS.get(path)


def create_app(settings: Settings, *, has_the_process: bool = False) -> FastAPI:
    """Give the app for these settings; everything is opened when it starts, nothing before.

    has_the_process  nothing else lives in it: what was made by then is kept out of every later garbage collection
    """
    app = FastAPI(
        title="Chronobridge",
        version="0.1.0",
        lifespan=partial(_lifespan, settings, has_the_process),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat whatever stands in a path, and to whom Host says
    )
    app.add_middleware(
        Admission,
        hosts=names_of(settings.public_url, settings.host, *settings.allowed_hosts),
        limits=_LIMITS,
        is_forwarded=bool(settings.trusted_proxies),
        webhook=_webhook,
    )
    app.router.routes.extend(_ROUTES)
    app.mount("/static", StaticFiles(packages=[("app.web", "static")]))
    app.add_exception_handler(PageRefused, _instead)
    app.add_exception_handler(Misconfigured, _not_set_up)
    app.add_exception_handler(VendorError, _not_done)
    app.add_exception_handler(OtherInstance, _another_instance)
    app.add_exception_handler(DeliveryRefused, _refused)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(AnyHTTPException, _http_error)
    return app


@asynccontextmanager
async def _lifespan(settings: Settings, has_the_process: bool, app: FastAPI) -> AsyncIterator[None]:
    """Open what the app needs, look after it while it runs, and close it in order."""
    async with open_runtime(settings) as runtime:

        def committed(group: Sequence[Delivery]) -> None:
            runtime.counts.observe(GROUP_SIZE, len(group))
            if kinds := {event.kind for delivery in group for event in delivery.events}:
                runtime.wakeup.notify(kinds)

        app.state.runtime = runtime
        app.state.inbox = open_inbox(runtime, committed)
        jobs = Supervisor()
        app.state.health = HealthMonitor(runtime, app.state.inbox, jobs=jobs)
        app.state.numbers = MetricsReader(runtime, app.state.health)
        app.state.large_bodies, app.state.verifications = LargeBodies(), TokenBuckets(drchrono.VERIFIED_A_MINUTE)
        app.state.sign_in, app.state.throttle = SignIn(runtime), Throttle(runtime.counts)
        app.state.provider_throttle = Throttle(runtime.counts)  # apart: who sent it a wrong code waits, right or not
        origin = SettingsOrigin(env_file.secret_files(settings), env_file.near_misses)
        app.state.checks = CheckRuns(runtime, origin)
        await app.state.health.look()
        jobs.start("health", app.state.health.watch)
        save = partial(runtime.counts.save, runtime.database)
        jobs.every("counts", SAVED_EVERY_S, save, first_in_s=SAVED_EVERY_S)
        jobs.every("activity", _SUMMED_EVERY_S, partial(sum_up_when_due, runtime), first_in_s=_SUMMED_EVERY_S)
        jobs.every("refusals", _REFUSALS_EVERY_S, app.state.sign_in.note_refusals)
        if has_the_process:
            settle_memory()
        log.info("web.started", port=settings.port, url=settings.public_url, sides=sorted(settings.connected))
        yield
        app.state.health.stop()
        await app.state.checks.stop()
        await jobs.stop(after="health", within_s=2)  # a look at a database that hangs is cut off all the same
        await app.state.sign_in.note_refusals()
        await app.state.inbox.close()
        with suppress(StoreUnavailable):
            await runtime.counts.save(runtime.database)
        log.info("web.stopped")


async def _instead(_request: Request, error: Exception) -> Response:
    assert isinstance(error, PageRefused)
    return error.response


async def _not_set_up(request: Request, error: Exception) -> Response:
    return _said(request, PageMessage("Not set up", str(error), 409, (("Connections", "/connections"),)))


async def _not_done(request: Request, error: Exception) -> Response:
    assert isinstance(error, VendorError)
    text = f"It was not done ({error.cause}). Try again in a minute."
    return _said(request, PageMessage("Not now", text, 502, (("Connections", "/connections"),)))


async def _another_instance(request: Request, error: Exception) -> Response:
    if is_for_a_person(request):
        return _said(request, PageMessage("Another installation", f"{error}.", 409, (("Queues", "/queues"),)))
    return JSONResponse({"detail": str(error)}, status_code=409)


def _said(request: Request, message: PageMessage) -> Response:
    """Give a page with the ways on for whoever asked; a script is told the same in JSON."""
    if request.url.path.startswith(API):
        return JSONResponse({"detail": message.text}, status_code=message.status)
    return message_page(message, getattr(request.state, "caller", None))


async def _http_error(request: Request, error: Exception) -> Response:
    """Tell a person by a page with the ways on; reloading what only takes forms leads back to the page it is on."""
    assert isinstance(error, AnyHTTPException)
    if not is_for_a_person(request):
        return await http_exception_handler(request, error)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and request.method == "GET":
        return redirect(_page_above(request))
    title, text = _PROBLEMS.get(error.status_code, (HTTPStatus(error.status_code).phrase, f"{error.detail}."))
    answer = _problem_page(request, title, text, error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def _invalid(request: Request, error: Exception) -> Response:
    """Tell a person that an address is none, or that a form does not fit; a script is told where and why."""
    assert isinstance(error, RequestValidationError)
    if not is_for_a_person(request):
        return await refuse_invalid(request, error)
    status = 404 if any(one["loc"][0] == "path" for one in error.errors()) else 422
    return _problem_page(request, *_PROBLEMS[status], status)


def _problem_page(request: Request, title: str, text: str, status: int) -> Response:
    return _said(request, PageMessage(title, capital(text), status, (("Overview", "/"),)))


def _page_above(request: Request) -> str:
    """Give the nearest page above an address that is none."""
    path: str = request.scope["path"]
    while path := path.rpartition("/")[0]:
        asked = {**request.scope, "path": path}
        if any(route.matches(asked)[0] is Match.FULL for route in _PAGE_ROUTES):
            return path
    return "/"


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DeliveryRefused)
    return JSONResponse({"detail": str(error)}, status_code=error.status)


async def _gone(_request: Request, _error: Exception) -> Response:
    """Answer nobody: whoever sent half a body went away."""
    return Response(status_code=499)


async def _unavailable(request: Request, _error: Exception) -> Response:
    if is_for_a_person(request):
        text = "The database does not answer, so nothing can be shown or done now. /healthz says more."
        return message_page(PageMessage("The database is away", text, 503), None)
    detail = "it could not be stored now; send it again"
    return JSONResponse({"detail": detail}, status_code=503, headers={"Retry-After": "30"})
