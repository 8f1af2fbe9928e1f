"""Signing in as a person, by OAuth's device flow: a code that is shown, and typed into a browser wherever that is.

The token belongs to that person and stays in this process's memory alone. There is no second one: when the session is
over, the person signs in again.

Source  Salesforce Help, OAuth 2.0 Device Flow (read 2026-11): the token endpoint of the My Domain gives the code
        (`response_type=device_code`) and is asked with it (`grant_type=device`) until somebody has consented
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import httpx

from app.errors import Unauthorized, Unavailable
from app.sync.model import Side
from app.vendors import http
from app.vendors.http import Reply
from app.vendors.salesforce.oauth import Credentials, SalesforceGrant

_SIDE = Side.SALESFORCE.value
_CALL = "POST /services/oauth2/token"
_PATH = "/services/oauth2/token"
_SCOPE = "api"
_INTERVAL_S, _SLOWER_S, _LONGEST_S = 5.0, 5.0, 60.0
_PATIENCE_S = 600.0  # the code lives for as long
SESSION_OVER = "SESSION_OVER"
EXPIRED = "expired_token"
_WAITING = frozenset({"authorization_pending", "slow_down"})


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a person types where; `secret` is ours to ask with."""

    typed: str
    address: str
    interval_s: float
    secret: str = field(repr=False)


class DeviceGrant(SalesforceGrant):
    """A person's token, given once somebody has signed in; asked for another, it has none."""

    def __init__(self, credentials: Credentials, context: Any) -> None:
        super().__init__(credentials, context)
        self._client_id, self._secret = credentials.client_id, credentials.client_secret
        self._http = http.client(credentials.login_url, context)
        self._given: dict[str, Any] | None = None

    async def begin(self) -> DeviceCode:
        """Give the code that a person is to type.

        Raises  Unauthorized where the app does not allow it; Unavailable
        """
        answer = await self._asked({"response_type": "device_code", "scope": _SCOPE})
        if refused := _refusal(answer):
            raise Unauthorized(_SIDE, _CALL, code=refused)
        texts = [answer.get(name) for name in ("user_code", "verification_uri", "device_code")]
        typed, address, secret = (text if isinstance(text, str) and text.isprintable() else "" for text in texts)
        if not (typed and secret and address.startswith("https://")):
            raise Unavailable(_SIDE, _CALL, code="NO_GRANT")
        return DeviceCode(typed, address, _seconds(answer.get("interval")), secret)

    async def wait(self, code: DeviceCode, patience_s: float = _PATIENCE_S, slower_s: float = _SLOWER_S) -> None:
        """Wait until the person has consented; from then on the token is there to ask for.

        slower_s  so much longer is waited once the vendor wants it, or does not answer
        Raises    Unauthorized when they refused, the code expired, or they belong to another org
        """
        deadline, wait_s = monotonic() + patience_s, code.interval_s
        while monotonic() < deadline:
            await asyncio.sleep(wait_s)
            try:
                answer = await self._asked({"grant_type": "device", "code": code.secret})
            except Unavailable:
                wait_s = min(wait_s + slower_s, _LONGEST_S)
                continue
            refused = _refusal(answer)
            if refused == "slow_down":
                wait_s = min(wait_s + slower_s, _LONGEST_S)
            if refused and refused not in _WAITING:
                raise Unauthorized(_SIDE, _CALL, code=refused)
            if not refused:
                self._given = self.checked(answer)
                return
        raise Unauthorized(_SIDE, _CALL, code=EXPIRED)

    async def ask(self, _stored: dict[str, Any] | None) -> dict[str, Any]:
        """Give the token, once.

        Raises  Unauthorized when there is none any more
        """
        given, self._given = self._given, None
        if given is None:
            raise Unauthorized(_SIDE, _CALL, code=SESSION_OVER)
        return given

    async def close(self) -> None:
        """Let the connections go."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(super().close)
            stack.push_async_callback(self._http.aclose)

    async def _asked(self, form: dict[str, str]) -> Mapping[str, Any]:
        whole = {"client_id": self._client_id, **form}
        if self._secret is not None:
            whole["client_secret"] = self._secret
        try:
            response = await self._http.post(_PATH, data=whole)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(_SIDE, _CALL, code=type(error).__name__) from None
        try:
            document = Reply.of(response).json()
        except ValueError:
            document = None
        if not isinstance(document, dict) or response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise http.no_grant(response, _SIDE, _CALL, writes=False) from None
        return document


def _refusal(answer: Mapping[str, Any]) -> str:
    return http.code_in(answer.get("error"))


def _seconds(given: Any) -> float:
    is_number = isinstance(given, int | float) and 0 < given <= _LONGEST_S
    return float(given) if is_number else _INTERVAL_S
