"""The control door's webhook half: the registration, how deliveries travel, and what became of them."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins.calls import CONTROL
from tests.standins.drchrono.caller import NOT_FOUND
from tests.standins.drchrono.deliveries import EVENTS, Webhook
from tests.standins.drchrono.state import state_of


async def register(request: Request) -> Response:
    """`"verify": false` takes the URL on trust; otherwise one that fails the challenge receives nothing."""
    body = await request.json()
    webhook = Webhook(body["url"], body["secret"], tuple(body.get("events") or EVENTS))
    callback = state_of(request).dispatcher.callback
    verified, detail = await callback.register(webhook, verify=body.get("verify", True))
    return JSONResponse({"verified": verified, "detail": detail})


async def registration(request: Request) -> Response:
    webhook = state_of(request).dispatcher.callback.webhook
    if webhook is None:
        return JSONResponse(NOT_FOUND, 404)
    return JSONResponse({"url": webhook.url, "events": webhook.events, "verified": webhook.verified})


async def ping(request: Request) -> Response:
    return JSONResponse({"status": await state_of(request).dispatcher.ping()})


async def set_policy(request: Request) -> Response:
    try:
        state_of(request).dispatcher.set_policy(await request.json())
    except ValueError as error:
        return JSONResponse({"detail": str(error)}, 400)
    return JSONResponse({"ok": True})


async def show(request: Request) -> Response:
    dispatcher = state_of(request).dispatcher
    answer: dict[str, object] = dict(dispatcher.counts())
    if request.query_params.get("items") == "true":
        answer["items"] = [delivery.shown() for delivery in dispatcher.deliveries.values()]
    return JSONResponse(answer)


async def release(request: Request) -> Response:
    return JSONResponse({"released": state_of(request).dispatcher.release()})


async def redeliver(request: Request) -> Response:
    dispatcher = state_of(request).dispatcher
    delivery = dispatcher.deliveries.get(request.path_params["id"])
    if delivery is None:
        return JSONResponse(NOT_FOUND, 404)
    return JSONResponse({"status": await dispatcher.redeliver(delivery)})


routes = [
    Route(f"{CONTROL}/webhook", register, methods=["POST"]),
    Route(f"{CONTROL}/webhook", registration, methods=["GET"]),
    Route(f"{CONTROL}/ping", ping, methods=["POST"]),
    Route(f"{CONTROL}/delivery-policy", set_policy, methods=["PUT"]),
    Route(f"{CONTROL}/deliveries", show, methods=["GET"]),
    Route(f"{CONTROL}/deliveries/release", release, methods=["POST"]),
    Route(f"{CONTROL}/deliveries/{{id}}/redeliver", redeliver, methods=["POST"]),
]
