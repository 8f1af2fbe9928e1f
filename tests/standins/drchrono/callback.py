"""The one URL deliveries go to: how it proves that it knows the secret, and how it is called.

DrChrono sends the secret itself as the signature, and names the event in a header only.
"""

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx

from tests.standins.drchrono.deliveries import Delivery, Webhook

TIMEOUT_S = 10.0


class Callback:
    """The registered webhook, reached by one pool of connections."""

    def __init__(self) -> None:
        self.webhook: Webhook | None = None
        self._http: httpx.AsyncClient | None = None

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        # verify=False: whoever is told to receive here is on loopback, under whatever certificate it made up.
        # A short keep-alive: a receiver that closes idle connections must not look like a failing one.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=2.0)
        async with httpx.AsyncClient(verify=False, trust_env=False, timeout=TIMEOUT_S, limits=limits) as self._http:
            yield

    async def register(self, webhook: Webhook, *, verify: bool = True) -> tuple[bool, str]:
        """Replaces the registration; gives whether the callback knows the secret, and in words why not."""
        complaint = await self._complaint(webhook) if verify else ""
        self.webhook = replace(webhook, verified=not complaint)
        return not complaint, complaint or "verified"

    async def post(self, delivery: Delivery, body: bytes) -> int:
        """Gives the status of the answer, 0 when there was none."""
        headers = {
            "Content-Type": "application/json",
            "X-drchrono-event": delivery.event,
            "X-drchrono-signature": self.webhook.secret,
            "X-drchrono-delivery": delivery.id,
        }
        try:
            return (await self._http.post(self.webhook.url, content=body, headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            return 0

    async def _complaint(self, webhook: Webhook) -> str:
        # The blank is deliberate: the callback must hash the decoded text.
        challenge = f"challenge {secrets.token_hex(12)}"
        wanted = hmac.new(webhook.secret.encode(), challenge.encode(), hashlib.sha256).hexdigest()
        try:
            answer = await self._http.get(webhook.url, params={"msg": challenge})
            if answer.status_code != 200:
                return f"the callback answered {answer.status_code}"
            given = answer.json()["secret_token"]
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
            return f"the callback gave no secret_token: {type(error).__name__}"
        return "" if given == wanted else "the secret_token is not the one expected"
