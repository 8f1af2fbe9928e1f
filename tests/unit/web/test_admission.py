"""So many requests at once and no more: the next one is told to come again, and probes are answered all the same."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.routing import Route

from app import main
from app.web.admission import API, WEBHOOKS, Admission


@pytest.fixture
def let_go():
    return asyncio.Event()


@pytest.fixture
async def web(let_go):
    app = FastAPI()
    app.add_middleware(Admission, hosts=["sync.example.com"], limits={}, at_once=3)

    @app.post("/webhooks/drchrono")
    async def waits(request: Request):
        await let_go.wait()
        return len(await request.body())

    @app.get("/livez")
    async def lives():
        return "ok"

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://sync.example.com") as client:
        yield client


async def under_way(web, count):
    """Send so many requests that wait; each has come as far as it will."""
    sent = [asyncio.create_task(web.post("/webhooks/drchrono", content=b"{}")) for _ in range(count)]
    for _ in range(20):
        await asyncio.sleep(0)
    return sent


async def test_one_too_many_at_once_is_told_to_come_again_and_the_others_go_on(web, let_go):
    waiting = await under_way(web, 3)

    refused = await web.post("/webhooks/drchrono", content=b"{}")
    let_go.set()
    answers = await asyncio.gather(*waiting)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_a_probe_is_answered_however_many_requests_are_under_way(web, let_go):
    waiting = await under_way(web, 3)

    probe = await web.get("/livez")
    let_go.set()
    await asyncio.gather(*waiting)

    assert probe.status_code == 200


async def test_who_was_answered_makes_room(web, let_go):
    let_go.set()

    answers = [await web.post("/webhooks/drchrono", content=b"{}") for _ in range(10)]

    assert {answer.status_code for answer in answers} == {200}


def test_every_delivery_goes_straight_to_the_webhook_that_the_routes_describe():
    described = {
        route.path: route.endpoint
        for route in iter_route_contexts(main._ROUTES)
        if route.path.startswith(WEBHOOKS) and "POST" in route.methods
    }

    straight = {path: main._webhook(path.replace("{token}", "a-token")) for path in described}

    assert len(described) == 3
    assert {path: getattr(found, "func", found) for path, found in straight.items()} == described
    assert straight["/webhooks/salesforce/outbound/{token}"].keywords == {"token": "a-token"}
    assert main._webhook("/webhooks/salesforce/outbound") is None


def test_no_route_is_built_twice_and_each_of_the_api_stands_below_it():
    """What a router includes FastAPI builds anew for every way that leads there."""
    assert not [route for route in main._ROUTES if not isinstance(route, Route)]
    assert {route.path.startswith(f"{API}v1") for part in main._API for route in part.router.routes} == {True}
    assert {route.include_in_schema for part in main._PAGES for route in part.router.routes} == {False}
