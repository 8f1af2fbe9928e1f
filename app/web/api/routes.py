"""The operator's JSON, all of it: whatever the console can do, a script can do here.

`Authorization: Bearer` with OPERATOR_TOKEN reads and acts, with VIEWER_TOKEN it reads; so does a signed-in session. The
role is checked before anything of the request is looked at.
"""

from fastapi import APIRouter, Depends, Response

from app.web.api import (
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
    queue,
    records,
)
from app.web.auth import reader


def unkept(response: Response) -> None:
    """Let nothing between us and who asked keep the answer: some name patients."""
    response.headers["Cache-Control"] = "no-store"


router = APIRouter(prefix="/api/v1", dependencies=[Depends(reader), Depends(unkept)])
for part in (
    overview,
    queue,
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
