"""How we sign in to Salesforce: client credentials, or a JWT signed with our key; the mechanics are Authlib's.

Neither answer carries a life time or a refresh token. The instance it names is checked before any token goes there, and
the org it names before any patient does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import JWTBearerGrant

from app.errors import Unauthorized, Unavailable
from app.sync.model import Side
from app.vendors import http
from app.vendors.http import OnResponse, ignore_response

_SIDE = Side.SALESFORCE.value
_CALL = "POST /services/oauth2/token"
_OWN_SUFFIXES = (".my.salesforce.com", ".my.salesforce.mil", ".salesforce.com")
# a host of letters, digits and dots only: whatever two parsers could read as two hosts is refused
_PLAIN_ORIGIN = re.compile(r"(?P<origin>https://(?P<host>[A-Za-z0-9.-]+)(:(?P<port>[0-9]{1,5}))?)(/.*)?")
_ASSERTION_LIFE_S = 180
_ORG_CHARACTERS = 15
_HTTPS = 443


@dataclass(frozen=True, slots=True)
class Credentials:
    """What identifies us: a client secret, or a username with a private key (PEM)."""

    login_url: str
    client_id: str
    client_secret: str | None
    username: str | None
    private_key: str | None
    org_id: str

    def __repr__(self) -> str:
        return f"Credentials({self.login_url})"


class SalesforceGrant:
    """Asks for tokens, and says where they may be sent."""

    def __init__(self, credentials: Credentials, context: Any, heard: OnResponse = ignore_response) -> None:
        self._credentials, self._heard = credentials, heard
        self._url = f"{credentials.login_url}/services/oauth2/token"
        self._oauth = AsyncOAuth2Client(
            credentials.client_id,
            credentials.client_secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - a method's name
            verify=context,
            timeout=http.TIMEOUTS,
            event_hooks={"response": [self._hear]},
        )
        self._oauth.register_compliance_hook("access_token_response", http.checked_grant)

    async def ask(self, _stored: dict[str, Any] | None) -> dict[str, Any]:
        """Give a fresh token answer.

        Raises  Unauthorized when the credential, the org or the instance is wrong; Unavailable
        """
        self._oauth.token = None
        try:
            token: dict[str, Any] = dict(await self._oauth.fetch_token(self._url, **self._form()))
        except OAuthError as error:
            raise Unauthorized(_SIDE, _CALL, code=str(error.error)[:64]) from None
        except httpx.HTTPStatusError as error:
            raise http.no_grant(error.response, _SIDE, _CALL, writes=False) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            if not isinstance(error, ValueError):
                self._heard(None)
            raise Unavailable(_SIDE, _CALL, code=type(error).__name__) from None
        return self.checked(token)

    def checked(self, token: Mapping[str, Any]) -> dict[str, Any]:
        """Give of a token answer what we keep.

        Raises  Unauthorized when the org or the instance is wrong; Unavailable when it is none
        """
        if not all(isinstance(token.get(name), str) for name in ("access_token", "instance_url", "id")):
            raise Unavailable(_SIDE, _CALL, code="NO_GRANT")
        self._must_be_our_org(token)
        self.allowed_instance(token)
        return {name: token[name] for name in ("access_token", "instance_url", "id")}

    async def _hear(self, response: httpx.Response) -> None:
        self._heard(response.status_code)

    def allowed_instance(self, token: Mapping[str, Any]) -> str:
        """Give the instance a token may be sent to.

        Raises  Unauthorized when it is neither Salesforce's nor the host of the login address
        """
        found = _PLAIN_ORIGIN.fullmatch(str(token.get("instance_url", "")))
        if found is not None:
            host, port = found["host"].lower(), int(found["port"] or _HTTPS)
            login = urlsplit(self._credentials.login_url)
            is_login = (host, port) == (login.hostname, login.port or _HTTPS)
            is_own = host.endswith(_OWN_SUFFIXES) and port == _HTTPS
            if is_login or is_own:
                return found["origin"]
        raise Unauthorized(_SIDE, _CALL, code="INSTANCE_NOT_ALLOWED")

    async def close(self) -> None:
        """Let the connections go."""
        await self._oauth.aclose()

    def _form(self) -> dict[str, Any]:
        ours = self._credentials
        if ours.private_key is None:
            return {"grant_type": "client_credentials"}
        login = urlsplit(ours.login_url)
        assertion = JWTBearerGrant.sign(
            ours.private_key,
            issuer=ours.client_id,
            audience=f"{login.scheme}://{login.netloc}",
            subject=ours.username,
            alg="RS256",
            expires_in=_ASSERTION_LIFE_S,
        )
        text = assertion.decode() if isinstance(assertion, bytes) else assertion
        return {"grant_type": JWTBearerGrant.GRANT_TYPE, "assertion": text}

    def _must_be_our_org(self, token: Mapping[str, Any]) -> None:
        """Refuse a token of another org: its Contacts are not our patients. The id is `…/id/<org>/<user>`."""
        parts = str(token.get("id", "")).rstrip("/").split("/")
        org = parts[-2] if len(parts) > 1 else ""
        if org[:_ORG_CHARACTERS] != self._credentials.org_id[:_ORG_CHARACTERS]:
            raise Unauthorized(_SIDE, _CALL, code="OTHER_ORG")
