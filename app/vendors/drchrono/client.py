"""DrChrono over HTTP: one method per call we make.

Every call carries the pinned API version. On 401 the stored token is re-read and the call repeated once, then the
token refreshed once; DrChrono's refresh tokens are single use, so all of that goes through the broker.
"""

from typing import Any
from urllib.parse import quote

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from app.errors import Gone, Unauthorized, Unavailable, Unreadable
from app.sync.records import Side
from app.vendors import http
from app.vendors.drchrono import wire
from app.vendors.tokens import Broker, TokenStore

_HEADERS = {"X-DRC-API-Version": "v4", "Accept": "application/json"}
_SIDE = Side.DRCHRONO.value


class DrChrono:
    """The connected practice."""

    def __init__(self, base_url: str, client_id: str, client_secret: str, store: TokenStore, context: Any) -> None:
        self._http = http.client(base_url, context, headers=_HEADERS)
        self._oauth = AsyncOAuth2Client(
            client_id,
            client_secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - a method's name
            verify=context,
            timeout=http.TIMEOUTS,
        )
        for hook in ("access_token_response", "refresh_token_response"):
            self._oauth.register_compliance_hook(hook, http.checked_grant)
        self._token_url = f"{base_url.rstrip('/')}/o/token/"
        self.broker = Broker(_SIDE, store, self._refresh, is_final=True)

    async def read(self, path: str, record_id: str) -> dict[str, Any] | None:
        """Give one record as DrChrono holds it now, None when it is gone or not shown to us.

        Raises  Unavailable, Unauthorized, Rejected, Unreadable
        """
        call = f"GET {path}/{{id}}"
        try:
            response = await self._called("GET", f"{path}/{quote(record_id, safe='')}", call)
        except Gone:
            return None
        try:
            record = response.json()
            if wire.record_id(record) != record_id:
                raise Unreadable(_SIDE, call, status=response.status_code, code="OTHER_RECORD")
        except (ValueError, AttributeError):
            raise Unreadable(_SIDE, call, status=response.status_code, code="NOT_JSON") from None
        return dict(record)

    async def connect(self, code: str, redirect_uri: str) -> None:
        """Exchange an authorization code and store the token pair.

        Raises  Unauthorized when the code is used or expired; Unavailable
        """
        await self.broker.replace(
            await self._granted(
                lambda: self._oauth.fetch_token(
                    self._token_url, code=code, redirect_uri=redirect_uri, grant_type="authorization_code"
                )
            )
        )

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.aclose()
        await self._oauth.aclose()

    async def _called(self, method: str, url: str, call: str) -> httpx.Response:
        token = await self.broker.current()
        response = await self._sent(method, url, call, token.value)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            token = await self.broker.renewed(token)
            response = await self._sent(method, url, call, token.value)
            if response.status_code == httpx.codes.UNAUTHORIZED:
                await self.broker.refuse(token, "HTTP_401")
        if response.is_success:
            return response
        raise http.refused(response, _SIDE, call)

    async def _sent(self, method: str, url: str, call: str, token: str) -> httpx.Response:
        try:
            return await self._http.request(method, url, headers={"Authorization": f"Bearer {token}"})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise http.translated(error, _SIDE, call, writes=False) from None

    async def _refresh(self, stored: dict[str, Any] | None) -> dict[str, Any]:
        if stored is None or not stored.get("refresh_token"):
            raise Unauthorized(_SIDE, "token", code="NOT_CONNECTED")
        return await self._granted(
            lambda: self._oauth.refresh_token(self._token_url, refresh_token=stored["refresh_token"])
        )

    async def _granted(self, ask: Any) -> dict[str, Any]:
        self._oauth.token = None
        try:
            return dict(await ask())
        except OAuthError as error:
            raise Unauthorized(_SIDE, "POST /o/token/", code=str(error.error)[:64]) from None
        except httpx.HTTPStatusError as error:
            raise http.refused(error.response, _SIDE, "POST /o/token/") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unavailable(_SIDE, "POST /o/token/", code=type(error).__name__) from None
