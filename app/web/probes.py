"""The probes: is the process alive, can it accept deliveries, how is every part, and the numbers for Prometheus."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from app.operations.health.monitor import HealthMonitor
from app.operations.metrics import MetricsReader

router = APIRouter(tags=["probes"])
PATHS = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})


@router.get("/livez", summary="The process answers")
async def livez() -> dict[str, str]:
    """Answer 200 while the process can answer at all."""
    return {"status": "ok"}


@router.get("/readyz", summary="Deliveries can be accepted")
async def readyz(request: Request) -> JSONResponse:
    """Answer 503 when the database cannot be written or is not migrated; never because of a vendor or Redis."""
    health: HealthMonitor = request.app.state.health
    return JSONResponse({"status": health.status}, status_code=200 if health.is_ready else 503)


@router.get("/healthz", summary="Every part, since when, and what to do")
async def healthz(request: Request) -> JSONResponse:
    """Answer 200 while the process answers, with the state of every part."""
    health: HealthMonitor = request.app.state.health
    return JSONResponse(health.report())


@router.get("/metrics", summary="Numbers for Prometheus")
async def metrics(request: Request) -> Response:
    """Give what all processes have counted and how everything stands; with the database away, what the probes know."""
    numbers: MetricsReader = request.app.state.numbers
    return Response(await numbers.scraped(), media_type=CONTENT_TYPE_LATEST)
