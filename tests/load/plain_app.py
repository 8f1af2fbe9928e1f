"""The same app answering deliveries without storing them: what the framework alone costs."""

import sys

import uvicorn
from fastapi import FastAPI, Request, Response

app = FastAPI(docs_url=None, redoc_url=None)


@app.post("/webhooks/drchrono")
async def receive(request: Request) -> Response:
    await request.body()
    return Response(status_code=200)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_config=None, server_header=False)
