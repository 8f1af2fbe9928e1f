"""Salesforce's doors: outbound messages and platform events, kept before they are acknowledged.

Both are hints: which records may differ, never what they hold; nothing else of them is kept. An outbound message is
acknowledged as a whole, once all of it is durable. Of one that cannot be read the beginning is kept, and it is
acknowledged too, or it would come again for a day.

Source  SOAP API Developer Guide, Outbound Messaging; Platform Events Developer Guide (read 2026-11)
"""

import asyncio
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import monotonic

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from ulid import ULID

from app.log import log
from app.operations.throttle import Secret
from app.ports import Delivery, RecordEvent, SealedColumn
from app.runtime import Runtime
from app.sync.card_requests import card_request
from app.sync.model import Kind, Side
from app.vendors.salesforce import outbound_messages, platform_events
from app.web.auth import refuse
from app.web.webhooks.receive import KEPT_BYTES, WholeBody, count, keep

MOST_MESSAGE_BYTES, MOST_EVENT_BYTES = 8 * 1024 * 1024, 1024 * 1024
_ORG_CHARACTERS = 15


@dataclass(frozen=True, slots=True)
class _Identity:
    """What tells a delivery from every other: the vendor's id where it gives one, else the rest."""

    event: str
    id: str
    rest: bytes


router = APIRouter(prefix="/webhooks/salesforce", tags=["webhooks"])


@router.post("/outbound/{token}", summary="Outbound messages: SOAP in, one Ack for the whole message")
async def receive_message(request: Request, token: str) -> Response:
    """Answer Ack true once the message is durable; 404 wrong token, 403 another org, 400 hostile, 413, 503."""
    started = monotonic()
    runtime: Runtime = request.app.state.runtime
    if not _is_known(token, runtime.webhook_secrets.outbound):
        refuse(request, Secret.OUTBOUND)
        raise HTTPException(404, "there is nothing here")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(400, "send the message as it is, not compressed")
    async with WholeBody(request) as body:
        delivery = await _message(request, runtime, body)
    await _keep(request, [delivery], started)
    return _ack()


async def _message(request: Request, runtime: Runtime, body: bytes) -> Delivery:
    """Give what is to be kept of an outbound message.

    Raises  HTTPException for a hostile one, and for one of another org
    """
    try:
        message = await asyncio.to_thread(outbound_messages.read_message, body)  # the largest takes seconds
    except outbound_messages.Hostile as why:
        count(request, Side.SALESFORCE, "refused")
        raise HTTPException(400, str(why)) from None
    except outbound_messages.UnreadableMessage:
        return _delivery(runtime, _Identity("outbound", "", body), body[:KEPT_BYTES], "unreadable")
    _must_be_our_org(request, [message.organization])
    if message.has_session:
        log.warning(
            "delivery.session_dropped", side=Side.SALESFORCE.value, advice="Salesforce has stopped to send these"
        )
    found = [
        RecordEvent(Side.SALESFORCE, kind, one.record_id, one.version)
        for one in message.notifications
        if one.record_id and (kind := _kind(runtime, one.object))
    ]
    # one that does not say which record it means was deleted before it was sent, or has a shape we do not know
    is_whole = all(one.record_id and one.object for one in message.notifications)
    outcome = "unreadable" if not is_whole else "kept" if found else "skipped"
    told = [{"id": one.id, "object": one.object, "record": one.record_id} for one in message.notifications]
    return _delivery(runtime, _Identity("outbound", "", body), json.dumps(told).encode(), outcome, found)


@router.post("/events", summary="Platform events: from a Flow, from Apex, or relayed by EventBridge")
async def receive_events(request: Request) -> JSONResponse:
    """Answer 200 once every event is durable; 401 wrong bearer or signature, 403 another org, 413, 503."""
    started = monotonic()
    runtime: Runtime = request.app.state.runtime
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    known = runtime.webhook_secrets.events
    if scheme.lower() != "bearer" or not _is_known(given.strip(), known):
        refuse(request, Secret.EVENTS)
        raise HTTPException(401, "send Authorization: Bearer with one of SALESFORCE_EVENT_TOKENS")
    async with WholeBody(request) as body:
        deliveries = _events(request, runtime, body)
    await _keep(request, deliveries, started)
    return JSONResponse({"kept": len(deliveries)})


def _events(request: Request, runtime: Runtime, body: bytes) -> list[Delivery]:
    """Give what is to be kept of platform events.

    Raises  HTTPException for a wrong signature, and for events of another org
    """
    keys = runtime.webhook_secrets.event_keys
    signature = request.headers.get(platform_events.SIGNATURE)
    if keys and not platform_events.is_signed(signature, body, keys, runtime.now().timestamp()):
        raise HTTPException(
            401, f"send {platform_events.SIGNATURE}: t=SECONDS,v1=HEX, the HMAC-SHA256 of `SECONDS.body`"
        )
    try:
        batch = platform_events.read_events(body)
    except platform_events.UnreadableEvents:
        return [_delivery(runtime, _Identity("event", "", body), body[:KEPT_BYTES], "unreadable")]
    _must_be_our_org(request, batch.organizations)
    return [_change(runtime, change) for change in batch.changes]


def _change(runtime: Runtime, change: platform_events.RecordChange) -> Delivery:
    """Give one event as a delivery of its own: its uuid tells it from others, also when it comes in another batch."""
    kind = _kind(runtime, change.object)
    ids = dict.fromkeys(one for one in (change.record_id, change.master_id) if one)
    asked = card_request(change.operation, change.chart_id)
    request = None if asked is None else str(asked)
    found = [RecordEvent(Side.SALESFORCE, kind, one, change.version, request=request) for one in ids] if kind else []
    told = {"object": change.object, "operation": change.operation, "records": list(ids)}
    kept = json.dumps(told).encode()
    # without an id, two edits of one second look the same; whoever sends so does not send again
    identity = _Identity("event", change.uuid, b"" if change.uuid else str(ULID()).encode())
    outcome = "unreadable" if not ids else "kept" if found else "skipped"
    return _delivery(runtime, identity, kept, outcome, found)


def _delivery(
    runtime: Runtime, identity: _Identity, kept: bytes, outcome: str, found: Iterable[RecordEvent] = ()
) -> Delivery:
    """Give what is to be kept, sealed; `identity` is what tells it from every other delivery."""
    key = runtime.keys.digest(Side.SALESFORCE.encode(), identity.event.encode(), identity.id.encode(), identity.rest)
    id_ = str(ULID())
    sealed = runtime.vault.seal_bytes(kept, SealedColumn.DELIVERY_BODY.of(id_))
    return Delivery(Side.SALESFORCE, identity.event, identity.id or None, key, sealed, outcome, tuple(found), id_)


async def _keep(request: Request, deliveries: Sequence[Delivery], started: float) -> None:
    await keep(request, Side.SALESFORCE, deliveries, started, lambda one: {"group_size": len(one.events)})


def _kind(runtime: Runtime, name: str) -> Kind | None:
    """Give the kind an object's name means, in whatever case it was typed."""
    asked = name.casefold()
    return next((kind for kind, table in runtime.mappings.items() if table.object.casefold() == asked), None)


def _is_known(given: str, known: Sequence[str]) -> bool:
    found = False
    for one in known:
        found |= hmac.compare_digest(given.encode(), one.encode())
    return found


def _must_be_our_org(request: Request, given: Iterable[str]) -> None:
    """Refuse a message of another org; with no org in the settings there is nothing to hold it against."""
    runtime: Runtime = request.app.state.runtime
    ours = runtime.settings.salesforce_org_id
    if ours is not None and any(one[:_ORG_CHARACTERS] != ours[:_ORG_CHARACTERS] for one in given):
        count(request, Side.SALESFORCE, "refused")
        raise HTTPException(403, "that is another organization than SALESFORCE_ORG_ID")


def _ack() -> Response:
    return Response(outbound_messages.ACK, media_type="text/xml; charset=utf-8")
