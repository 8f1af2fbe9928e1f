"""What answering costs without storing: the service's own app with an inbox that keeps nothing, or a bare FastAPI app.

python -m tests.load.unstored same|bare PORT
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response

from app import log
from app.main import create_app
from app.settings import env_file


class Nowhere:
    """An inbox that keeps nothing."""

    async def keep(self, delivery: Any) -> None:
        return None

    async def close(self) -> None:
        return None


def same() -> FastAPI:
    """The service's app: it checks, reads, seals and logs a delivery, and then lets it go."""
    log.configure()
    app = create_app(env_file.load())
    own = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with own(app):
            await app.state.inbox.close()
            app.state.inbox = Nowhere()
            yield

    app.router.lifespan_context = lifespan
    return app


def bare() -> FastAPI:
    """A FastAPI app that reads the body and answers."""
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.post("/webhooks/drchrono")
    async def receive(request: Request) -> Response:
        await request.body()
        return Response(status_code=200)

    return app


if __name__ == "__main__":
    app = same() if sys.argv[1] == "same" else bare()
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_config=None, server_header=False)
