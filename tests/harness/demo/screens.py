"""Both vendors' own screens left and right, so that a newcomer edits on one side and sees the other change.

The stand-ins draw them; this page only puts them beside each other, and passes on what is asked of each.
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from app.cli.supervise import free_port
from tests.harness.cluster import Town
from tests.harness.demo.work import Try

_BESIDE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Both systems</title><style>
:root { color-scheme: light dark }
body { margin: 0; display: grid; grid: auto 1fr / 1fr 1fr; height: 100vh; font: 15px/1.5 system-ui, sans-serif }
header { grid-column: 1 / -1; padding: .6rem 1rem; border-bottom: 1px solid #8884 }
h1 { display: inline; font-size: 1em }
ol { margin: .4rem 0 0 }
iframe { border: 0; width: 100%; height: 100% }
@media (max-width: 50rem) { body { grid: auto 75vh 75vh / 1fr } }
</style></head><body>
<header><h1>Edit a patient on one side, and watch the other.</h1>
What happens between them: <a href="CONSOLE" target="console">the console</a>.TRIES</header>
<iframe src="/drchrono" title="DrChrono"></iframe><iframe src="/salesforce" title="Salesforce"></iframe>
</body></html>"""


@contextmanager
def beside_each_other(here: Town, charts: Sequence[int], tries: Sequence[Try] = ()) -> Iterator[str]:
    """Serve both screens on a page of this machine, and give its address.

    Both list the patients of these charts, in this order; the page says what there is to try in the console.
    """
    console = here.given["PUBLIC_URL"]
    listed = {"values": [str(chart) for chart in charts]}
    theirs = {**listed, "by": "id", "more": f"{console}/records/drchrono/patient/"}
    here.drchrono.put("/_control/screen", json=theirs).raise_for_status()
    ours = {**listed, "by": "DrChrono_Patient_Id__c", "more": f"{console}/records/salesforce/patient/"}
    here.salesforce.put("/_control/screen", json=ours).raise_for_status()
    lines = "".join(
        f'<li>{escape(one.text)} <a href="{escape(one.address)}" target="console">Open</a></li>' for one in tries
    )
    page = _BESIDE.replace("CONSOLE", console).replace(
        "TRIES", f"<details><summary>What to try next</summary><ol>{lines}</ol></details>" if tries else ""
    )

    async def both(_: Request) -> Response:
        return HTMLResponse(page)

    def passed_on(vendor: httpx.Client) -> Route:
        async def ask(request: Request) -> Response:
            body = await request.body()
            told = {"content-type": request.headers.get("content-type", "text/plain")}
            answer = await run_in_threadpool(
                vendor.request,
                request.method,
                "/_control/screen",
                params=request.query_params,
                content=body,
                headers=told,
            )
            kept = {name: answer.headers[name] for name in ("content-type", "location") if name in answer.headers}
            return Response(answer.content, answer.status_code, kept)

        name = "drchrono" if vendor is here.drchrono else "salesforce"
        return Route(f"/{name}", ask, methods=["GET", "POST"])

    app = Starlette(routes=[Route("/", both), passed_on(here.drchrono), passed_on(here.salesforce)])
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    here.wait_until(lambda: server.started, "the page of both screens")
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(10)
