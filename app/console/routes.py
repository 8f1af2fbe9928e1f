"""The console: pages for the people at the clinic, over the same queries and acts as the JSON."""

from fastapi import APIRouter

from app.console import (
    audit,
    conflicts,
    connections,
    deliveries,
    failures,
    held,
    lanes,
    overview,
    people,
    records,
    visits,
)

router = APIRouter(tags=["pages"], include_in_schema=False)
for part in (overview, people, visits, records, failures, held, conflicts, deliveries, lanes, connections, audit):
    router.include_router(part.router)
