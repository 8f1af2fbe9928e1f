"""OpenID Connect: the address at which a person signs in at the issuer, and what its ID token says of them.

The authorization code flow with PKCE; the mechanics are Authlib's. What the issuer says of itself and its keys are
fetched when they are first needed and kept for an hour; a token signed with a key we lack has them fetched anew. Only a
token with a signature of an asymmetric key, from this issuer, for this client, not expired and with our nonce counts.

Source  OpenID Connect Core 1.0, 3.1.3.7 and Discovery 1.0, 3 and 4 (read 2026-11)
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.jose.errors import BadSignatureError, JoseError
from authlib.oidc.core import CodeIDToken

from app.errors import Unauthorized, Unavailable, VendorError
from app.vendors import http

_SIDE = "issuer"
_KEPT_S = 3600.0
_DEADLINE_S = 10.0  # for all of the issuer's answers to one step, however slowly they trickle in
_LEEWAY_S = 60
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
# what Authlib raises of a token that is none, or that a key of another kind has signed
_UNCOUNTED = (JoseError, ValueError, TypeError, AttributeError, KeyError)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class OidcIssuer:
    """What the issuer says of itself, and its keys."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    auth_method: str
    keys: tuple[Any, ...]
    fetched_s: float


class OidcClient:
    """The client of the issuer that this service is."""

    def __init__(self, issuer: str, client_id: str, client_secret: str, scopes: str, context: Any) -> None:
        self.issuer, self._client_id, self._secret, self._scopes = issuer, client_id, client_secret, scopes
        self._http = http.client("", context)
        self._context = context
        self._known: OidcIssuer | None = None
        self.deadline_s = _DEADLINE_S

    async def address(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Give the address at which a person signs in.

        Raises  Unavailable
        """
        known = await self._issuer()
        async with self._oauth(known, redirect_uri) as oauth:
            address, _ = oauth.create_authorization_url(
                known.authorization_endpoint, state=state, nonce=nonce, code_verifier=verifier
            )
        return str(address)

    async def claims(self, redirect_uri: str, code: str, nonce: str, verifier: str) -> Mapping[str, Any]:
        """Give what the issuer says of whoever came back with a code.

        Raises  Unavailable; Unauthorized when the code or the token does not count
        """
        known = await self._issuer()
        call = "POST token"
        try:
            async with asyncio.timeout(self.deadline_s), self._oauth(known, redirect_uri) as oauth:
                token = await oauth.fetch_token(known.token_endpoint, code=code, code_verifier=verifier)
        except OAuthError as error:
            raise Unauthorized(_SIDE, call, code=str(error.error)[:64]) from None
        except httpx.HTTPStatusError as error:
            raise http.no_grant(error.response, _SIDE, call, writes=False) from None
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            raise Unavailable(_SIDE, call, code=type(error).__name__) from None
        text = token.get("id_token")
        if not isinstance(text, str):
            raise Unauthorized(_SIDE, call, code="NO_ID_TOKEN")
        try:
            return self._verified(text, known, nonce)
        except (_UnknownKeyError, BadSignatureError):
            return self._counted(text, await self._issuer(is_fresh=True), nonce)
        except _UNCOUNTED as error:
            raise _refused(error) from None

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.aclose()

    def _counted(self, text: str, known: OidcIssuer, nonce: str) -> Mapping[str, Any]:
        try:
            return self._verified(text, known, nonce)
        except (*_UNCOUNTED, _UnknownKeyError) as error:
            raise _refused(error) from None

    def _verified(self, text: str, known: OidcIssuer, nonce: str) -> Mapping[str, Any]:
        """Give the claims of an ID token that counts."""

        def key_of(header: Mapping[str, Any], _payload: Any) -> Any:
            fitting = [key for key in known.keys if key.kid == header.get("kid")] if header.get("kid") else known.keys
            if len(fitting) != 1:
                raise _UnknownKeyError
            return fitting[0]

        asked = {
            "iss": {"essential": True, "value": known.issuer},
            "aud": {"essential": True, "value": self._client_id},
        }
        found = JsonWebToken(list(_ALGORITHMS)).decode(
            text, key_of, CodeIDToken, asked, {"nonce": nonce, "client_id": self._client_id}
        )
        found.validate(leeway=_LEEWAY_S)
        return dict(found)

    def _oauth(self, known: OidcIssuer, redirect_uri: str) -> AsyncOAuth2Client:
        client = AsyncOAuth2Client(
            self._client_id,
            self._secret,
            token_endpoint_auth_method=known.auth_method,
            scope=self._scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            verify=self._context,
            timeout=http.TIMEOUTS,
        )
        client.register_compliance_hook("access_token_response", http.checked_grant)
        return client

    async def _issuer(self, *, is_fresh: bool = False) -> OidcIssuer:
        """Give what is known of the issuer, fetched anew once it is an hour old; what is older serves while it is away.

        Raises  Unavailable
        """
        known = self._known
        if known is not None and not is_fresh and time.monotonic() - known.fetched_s < _KEPT_S:
            return known
        try:
            async with asyncio.timeout(self.deadline_s):
                self._known = await self._fetched()
        except (Unavailable, TimeoutError) as error:
            if known is None or is_fresh:
                raise Unavailable(_SIDE, "GET discovery", code=getattr(error, "code", "") or "Timeout") from None
            return known
        return self._known

    async def _fetched(self) -> OidcIssuer:
        about = await self._document(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        issuer = about.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") != self.issuer.rstrip("/"):
            raise Unavailable(_SIDE, "GET discovery", code="OTHER_ISSUER")
        authorization, token, jwks = (
            _safe(about.get(name)) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        )
        offered = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"
        given = (await self._document(jwks)).get("keys")
        keys = tuple(_keys(given if isinstance(given, list) else []))
        return OidcIssuer(issuer, authorization, token, method, keys, time.monotonic())

    async def _document(self, url: str) -> dict[str, Any]:
        call = "GET discovery"
        try:
            response = await self._http.get(url)
            document = response.json() if response.is_success else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unavailable(_SIDE, call, code=type(error).__name__) from None
        if not isinstance(document, dict):
            raise Unavailable(_SIDE, call, status=response.status_code, code="NO_DOCUMENT")
        return document


class _UnknownKeyError(Exception):
    """The token is signed with a key that the issuer did not show us."""


def _refused(error: Exception) -> VendorError:
    """Give why a token does not count, in the library's word for it; never what it says."""
    return Unauthorized(
        _SIDE, "id token", code=str(getattr(error, "error", "") or type(error).__name__).strip("_")[:64]
    )


def _safe(url: Any) -> str:
    """Give an address of the issuer's that secrets may be sent to."""
    place = urlsplit(url) if isinstance(url, str) else None
    if place is None or not (place.scheme == "https" or (place.scheme == "http" and place.hostname in _LOOPBACK)):
        raise Unavailable(_SIDE, "GET discovery", code="UNSAFE_ADDRESS")
    return str(url)


def _keys(given: list[Any]) -> list[Any]:
    """Give the keys for signatures that can be read; one of another kind hides no other."""
    found = []
    for one in given:
        try:
            key = JsonWebKey.import_key(one)
        except (JoseError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if key.kty != "oct" and one.get("use", "sig") == "sig":
            found.append(key)
    return found
