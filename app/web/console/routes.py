"""The console: pages for the people at the clinic, over the same queries and acts as the JSON."""

from fastapi import APIRouter

from app.web.console import (
    appointments,
    audit,
    conflicts,
    connections,
    deliveries,
    failures,
    held,
    lanes,
    overview,
    patients,
    records,
)

router = APIRouter(tags=["pages"], include_in_schema=False)
for part in (
    overview,
    patients,
    appointments,
    records,
    failures,
    held,
    conflicts,
    deliveries,
    lanes,
    connections,
    audit,
):
    router.include_router(part.router)
