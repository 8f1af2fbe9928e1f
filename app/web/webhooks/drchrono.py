"""DrChrono's door: answers the verification, and keeps deliveries before it says 2xx.

It checks size and sender and reads no more than which record is meant; there is no business rule here. A delivery with
the right secret is kept even when it cannot be read: DrChrono switches off endpoints that answer errors.

Source  DrChrono API reference, Webhooks (read 2026-08)
"""

from math import ceil
from time import monotonic
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from ulid import ULID

from app.errors import SignatureInvalid
from app.operations.throttle import Secret
from app.ports import Delivery, RecordEvent, SealedColumn
from app.runtime import Runtime
from app.sync.mappings.table import Mappings
from app.sync.model import Side
from app.vendors.drchrono import wire
from app.vendors.rate_limit.bucket import TokenBuckets
from app.web.auth import refuse
from app.web.webhooks.receive import KEPT_BYTES, WholeBody, count, keep

MOST_BYTES = 1024 * 1024
_LONGEST_MSG, _LONGEST_ANSWERED = 4096, 256
VERIFIED_A_MINUTE = 20
_TAKEN = Response(status_code=200)

router = APIRouter(prefix="/webhooks/drchrono", tags=["webhooks"])


@router.get("", summary="DrChrono's verification of the callback address")
async def verify(request: Request, msg: Annotated[str, Query(max_length=_LONGEST_MSG)]) -> JSONResponse:
    """Answer with the HMAC of the message under the webhook's secret; 503 while no secret is set.

    To anybody, which is the vendor's protocol: so seldom, only while it is wanted, and no message of any form.
    """
    runtime: Runtime = request.app.state.runtime
    if not runtime.settings.drchrono_answers_verification:
        raise HTTPException(404, "the verification is switched off: DRCHRONO_ANSWERS_VERIFICATION")
    if not 1 <= len(msg) <= _LONGEST_ANSWERED or not msg.isprintable():
        raise HTTPException(400, f"msg is to be 1 to {_LONGEST_ANSWERED} printable characters")
    verifications: TokenBuckets = request.app.state.verifications
    if wait_s := verifications.take():
        raise HTTPException(429, "asked too often", {"Retry-After": str(ceil(wait_s))})
    secrets = runtime.webhook_secrets.drchrono
    if not secrets:
        return JSONResponse({"detail": "set DRCHRONO_WEBHOOK_SECRETS"}, status_code=503)
    return JSONResponse(wire.verification(msg, secrets))


async def receive(request: Request) -> Response:
    """Answer 200 once the delivery is durable; 401 wrong secret, 413 too large, 503 could not be kept."""
    started = monotonic()
    runtime: Runtime = request.app.state.runtime
    headers = request.headers
    if not wire.is_genuine(headers.get(wire.SIGNATURE), runtime.webhook_secrets.drchrono):
        count(request, Side.DRCHRONO, "refused")
        refuse(request, Secret.DRCHRONO)
        raise SignatureInvalid("X-drchrono-signature is not one of the configured secrets")
    event = headers.get(wire.EVENT, "")[:64]
    async with WholeBody(request) as body:
        if event == wire.PING:
            count(request, Side.DRCHRONO, "ping")
            return _TAKEN
        delivery = _delivery(runtime, event, headers.get(wire.DELIVERY), body)
    await keep(request, Side.DRCHRONO, [delivery], started, _log_fields)
    return _TAKEN


def _delivery(runtime: Runtime, event: str, vendor_id: str | None, body: bytes) -> Delivery:
    """Give what is kept: of a readable body only what the mapping names.

    Nothing of `receiver` is: it may hold the secret. Of a body that cannot be read the beginning is kept, sealed.
    """
    identity = (Side.DRCHRONO.encode(), event.encode(), (vendor_id or "").encode(), body)
    key = runtime.keys.digest(*identity)
    vendor_id = vendor_id[:128] if vendor_id else None
    kind = wire.EVENT_KINDS.get(event)
    id_ = str(ULID())
    place = SealedColumn.DELIVERY_BODY.of(id_)
    try:
        notice = wire.read_notice(body)
    except wire.NotReadable:
        sealed = runtime.vault.seal_bytes(body[:KEPT_BYTES], place)
        return Delivery(Side.DRCHRONO, event, vendor_id, key, sealed, "unreadable", id=id_)
    if kind is None or kind not in runtime.mappings:
        sealed = runtime.vault.seal({"id": notice.record_id, "updated_at": notice.version}, place)
        return Delivery(Side.DRCHRONO, event, vendor_id, key, sealed, "skipped", id=id_)
    sealed = runtime.vault.seal(_kept(runtime.mappings, event, notice, kind), place)
    events = (RecordEvent(Side.DRCHRONO, kind, notice.record_id, notice.version),)
    return Delivery(Side.DRCHRONO, event, vendor_id, key, sealed, "kept", events, id_)


def _kept(mappings: Mappings, event: str, notice: wire.Notice, kind: Any) -> dict[str, Any]:
    return wire.marked(event, mappings[kind].keep(notice.object, "id", "updated_at", *wire.BESIDE))


def _log_fields(delivery: Delivery) -> dict[str, str | int | None]:
    """Give which record it is, and the event: of a body that cannot be read only where we know it."""
    is_known = delivery.event in wire.EVENT_KINDS or delivery.outcome == "skipped"
    return {
        "record_id": delivery.events[0].record_id if delivery.events else None,
        "cause": delivery.event if is_known else None,
    }
