"""The operator's JSON, all of it: whatever the console can do, a script can do here.

`Authorization: Bearer` with OPERATOR_TOKEN reads and acts, with VIEWER_TOKEN it reads; so does a signed-in session. The
role is checked before anything of the request is looked at.
"""

from fastapi import APIRouter, Depends

from app.api import audit, failures, held, lanes, queue
from app.web.access import reader

router = APIRouter(prefix="/api/v1", dependencies=[Depends(reader)])
for part in (queue, failures, held, lanes, audit):
    router.include_router(part.router)
