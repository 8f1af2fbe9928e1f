"""The probes: is the process alive, can it accept deliveries, how is every part, and the numbers for Prometheus."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app import metrics
from app.doors.health import Health
from app.errors import StoreUnavailable
from app.forecast import Forecast, forecast
from app.runtime import Runtime
from app.store import feeds, heartbeat, queue_state, tallies
from app.sync.records import Lane, Side

router = APIRouter(tags=["probes"])


@router.get("/livez", summary="The process answers")
async def livez() -> dict[str, str]:
    """Answer 200 while the process can answer at all."""
    return {"status": "ok"}


@router.get("/readyz", summary="Deliveries can be accepted")
async def readyz(request: Request) -> JSONResponse:
    """Answer 503 when the database cannot be written or is not migrated; never because of a vendor or Redis."""
    health: Health = request.app.state.health
    return JSONResponse({"status": health.status}, status_code=200 if health.is_ready else 503)


@router.get("/healthz", summary="Every part, since when, and what to do")
async def healthz(request: Request) -> JSONResponse:
    """Answer 200 while the process answers, with the state of every part."""
    health: Health = request.app.state.health
    return JSONResponse(health.report())


@router.get("/metrics", summary="Numbers for Prometheus")
async def numbers(request: Request) -> Response:
    """Give the counters of this process, and what the database knows."""
    run: Runtime = request.app.state.run
    for gauge in (metrics.due, metrics.oldest_due_s, metrics.failures, metrics.writes, metrics.calls_left):
        gauge.clear()
    try:
        for one in await queue_state.due_counts(run.database):
            metrics.due.labels(one.kind, one.lane, one.direction).set(one.count)
            metrics.oldest_due_s.labels(one.kind, one.direction).set(one.oldest_s)
        for row in await queue_state.failure_groups(run.database):
            metrics.failures.labels(row.side, row.kind, row.cause).inc(row.records)
        for row in await queue_state.journal_counts(run.database):
            metrics.writes.labels(row.side, row.state).set(row.writes)
        for what, count in (await tallies.read(run.database)).items():
            metrics.counted.labels(what).set(count)
        _foretell(await forecast(run))
        for side, feed in (await feeds.read(run.database)).items():
            metrics.feed_silent.labels(side.value).set(feed.silent_since is not None)
            metrics.feed_found.labels(side.value).set(feed.found)
            if feed.heard_at is not None:
                metrics.feed_heard.labels(side.value).set(feed.heard_at.timestamp())
        metrics.workers_alive.set(await heartbeat.alive(run.database))
    except StoreUnavailable:
        return Response(generate_latest(), status_code=503, media_type=CONTENT_TYPE_LATEST)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _foretell(found: Forecast) -> None:
    """Set what the vendors still let us call; a side that is not connected has no numbers."""
    for side, one in ((Side.DRCHRONO, found.drchrono), (Side.SALESFORCE, found.salesforce)):
        if one is not None:
            paused_s = 0.0 if one.paused_until is None else (one.paused_until - found.now).total_seconds()
            metrics.calls_paused_s.labels(side.value).set(paused_s)
    if found.salesforce is not None and found.salesforce.most:
        metrics.calls_left.labels(Side.SALESFORCE.value).set(max(found.salesforce.most - found.salesforce.used, 0))
    if found.drchrono is not None:
        metrics.calls_left.labels(Side.DRCHRONO.value).set(found.drchrono.calls_left)
        metrics.caught_up_s.set(found.drchrono.caught_up_in_s)
        for lane in Lane:
            metrics.calls_made.labels(lane.value).set(found.drchrono.made.get(lane, 0))
            metrics.waiting_for_calls.labels(lane.value).set(found.drchrono.waiting.get(lane, 0))
