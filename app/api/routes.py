"""The operator's JSON, all of it: whatever the console can do, a script can do here.

`Authorization: Bearer` with OPERATOR_TOKEN reads and acts, with VIEWER_TOKEN it reads; so does a signed-in session. The
role is checked before anything of the request is looked at.
"""

from fastapi import APIRouter, Depends

from app.api import audit, connections, deliveries, failures, held, lanes, overview, queue
from app.web.access import reader

router = APIRouter(prefix="/api/v1", dependencies=[Depends(reader)])
for part in (overview, queue, failures, held, deliveries, lanes, connections, audit):
    router.include_router(part.router)
