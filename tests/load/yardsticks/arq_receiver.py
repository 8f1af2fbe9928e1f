"""A receiver as one is written in an afternoon: FastAPI puts a job per event into arq, and a job makes one call.

python -m tests.load.yardsticks.arq_receiver PORT, and arq tests.load.yardsticks.arq_receiver.WorkerSettings.
Tuned: a poll of 10 ms, 100 jobs at once, no results kept, connections kept. It keeps nothing, matches nobody, and
retries nothing.
"""

import hmac
import os
import sys
from contextlib import asynccontextmanager

import httpx
import uvicorn
from arq import create_pool
from arq.connections import RedisSettings
from fastapi import FastAPI, Request, Response

SECRET, TOKEN, CONTACTS = (os.environ.get(name, "") for name in ("SECRET", "TOKEN", "CONTACTS"))
REDIS, QUEUE = RedisSettings.from_dsn(os.environ.get("REDIS_URL", "redis://")), "yardstick"
FIELDS = {
    "first_name": "FirstName", "last_name": "LastName", "date_of_birth": "Birthdate", "gender": "DrChrono_Gender__c",
    "email": "Email", "cell_phone": "MobilePhone", "address": "MailingStreet", "city": "MailingCity",
    "state": "MailingState", "zip_code": "MailingPostalCode", "chart_id": "DrChrono_Chart_Id__c",
}  # fmt: skip


@asynccontextmanager
async def lifespan(app):
    app.state.queue = await create_pool(REDIS, default_queue_name=QUEUE)
    yield
    await app.state.queue.aclose()


app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None)


@app.post("/webhooks/drchrono")
async def receive(request: Request) -> Response:
    if not hmac.compare_digest(request.headers["x-drchrono-signature"], SECRET):
        return Response(status_code=401)
    await request.app.state.queue.enqueue_job("write", (await request.json())["object"])
    return Response()


async def write(ctx, patient):
    contact = {theirs: patient[ours] for ours, theirs in FIELDS.items()}
    (await ctx["client"].patch(f"{CONTACTS}/{patient['id']}", json=contact)).raise_for_status()


async def begin(ctx):
    limits, headers = httpx.Limits(max_connections=100), {"Authorization": f"Bearer {TOKEN}"}
    ctx["client"] = httpx.AsyncClient(verify=os.environ["CA_BUNDLE"], limits=limits, headers=headers, timeout=60)


class WorkerSettings:
    functions, on_startup, redis_settings, queue_name = [write], begin, REDIS, QUEUE
    poll_delay, max_jobs, keep_result, log_results, job_timeout = 0.01, 100, 0, False, 60


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_config=None)
