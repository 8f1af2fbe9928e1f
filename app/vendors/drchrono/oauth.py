"""Joining and leaving a DrChrono practice: the consent page's address, and the grants; the mechanics are Authlib's.

Codes and refresh tokens are single use, so an answer that never came leaves the outcome unknown. Scopes are always
named: leaving them out would ask for all.

Source  DrChrono API reference, Authorization (read 2026-08)
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from app.errors import Unauthorized, Unavailable
from app.sync.model import Lane, Side
from app.vendors import http
from app.vendors.http import Reply
from app.vendors.rate_limit.drchrono import DrChronoRateLimit

_SIDE = Side.DRCHRONO.value
_CALL = "POST /o/token/"
# scope -> what it is for; nothing else is asked for
SCOPES: Mapping[str, str] = {
    "patients:read": "see patients",
    "patients:write": "write patients",
    "calendar:read": "see appointments",
    "calendar:write": "write appointments",
    "clinical:read": "see appointments",
    "clinical:write": "write appointments",
    "user:read": "see doctors and offices",
}
# what DrChrono refuses us for; any other complaint is about the moment
_REFUSALS = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "invalid_scope", "access_denied"})


class DrChronoGrant:
    """The API application, as DrChrono's authorization server knows it.

    budget  counts a call before it is made; token calls count like any other
    """

    def __init__(
        self, base_url: str, client_id: str, client_secret: str, context: Any, budget: DrChronoRateLimit
    ) -> None:
        self.base_url, self.budget = base_url.rstrip("/"), budget
        self._oauth = AsyncOAuth2Client(
            client_id,
            client_secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - a method's name
            revocation_endpoint_auth_method="client_secret_post",
            verify=context,
            timeout=http.TIMEOUTS,
            event_hooks={"response": [self._hear]},
        )
        for hook in ("access_token_response", "refresh_token_response"):
            self._oauth.register_compliance_hook(hook, http.checked_grant)

    def consent_url(self, redirect_uri: str, state: str, scopes: Iterable[str] = SCOPES) -> str:
        """Give the address where a DrChrono user grants us these scopes, which are all that we need unless told."""
        address, _ = self._oauth.create_authorization_url(
            f"{self.base_url}/o/authorize/", state=state, redirect_uri=redirect_uri, scope=" ".join(scopes)
        )
        return str(address)

    async def exchange(self, code: str, redirect_uri: str) -> dict[str, Any]:
        """Give the token pair for a code; a code works once.

        Raises  Unauthorized when it is used or expired; Unavailable; OutcomeUnknown when the answer never came
        """
        return await self._granted(
            lambda: self._oauth.fetch_token(
                f"{self.base_url}/o/token/", code=code, redirect_uri=redirect_uri, grant_type="authorization_code"
            )
        )

    async def refresh(self, stored: Mapping[str, Any] | None) -> dict[str, Any]:
        """Give the pair that follows a stored one, which dies by it.

        Raises  as `exchange`
        """
        if stored is None or not stored.get("refresh_token"):
            raise Unauthorized(_SIDE, "token", code="NOT_CONNECTED")
        return await self._granted(
            lambda: self._oauth.refresh_token(f"{self.base_url}/o/token/", refresh_token=stored["refresh_token"])
        )

    async def revoke(self, pair: Mapping[str, Any]) -> None:
        """Have a pair die at DrChrono: revoking its refresh token kills the access token too.

        Raises  Unavailable when DrChrono did not say that it is done
        """
        call, url = "POST /o/revoke_token/", f"{self.base_url}/o/revoke_token/"
        await self.budget.spend(Lane.LIVE, call)
        try:
            response = await self._oauth.revoke_token(url, token=pair.get("refresh_token") or pair["access_token"])
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self.budget.heard(None)
            raise http.translated(error, _SIDE, call, writes=False) from None
        reply = Reply.of(response)
        if reply.status != httpx.codes.OK or reply.media == "text/html":  # what else it says nobody reads
            raise http.not_the_api(reply, _SIDE, call, writes=False)

    async def close(self) -> None:
        """Let the connections go."""
        await self._oauth.aclose()

    async def _hear(self, response: httpx.Response) -> None:
        self.budget.heard(response.status_code)

    async def _granted(self, ask: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
        await self.budget.spend(Lane.LIVE, _CALL)
        self._oauth.token = None
        try:
            return dict(await ask())
        except OAuthError as error:
            code = str(error.error)[:64]
            raise (Unauthorized if code in _REFUSALS else Unavailable)(_SIDE, _CALL, code=code) from None
        except httpx.HTTPStatusError as error:
            found = http.no_grant(error.response, _SIDE, _CALL, writes=True)
            if found.came:
                await self.budget.failed()
            raise found from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self.budget.heard(None)
            await self.budget.failed()
            raise http.translated(error, _SIDE, _CALL, writes=True) from None
        except ValueError as error:
            raise Unavailable(_SIDE, _CALL, code=type(error).__name__) from None
