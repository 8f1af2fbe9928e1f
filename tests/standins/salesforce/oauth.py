"""The token endpoint: client credentials, an assertion signed with the private half of a configured key, a device.

No answer says how long the session lasts, and only a device's carries a refresh token. Errors have the
shape of OAuth, unlike the rest of the API.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import jwt
from starlette.requests import Request
from starlette.responses import Response

from tests.standins.salesforce import oauth_device
from tests.standins.salesforce.discovery import base_url, identity_url
from tests.standins.salesforce.org import INTEGRATION_USER, Org
from tests.standins.salesforce.web import answer, org_of

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LOGIN_HOSTS = ("https://login.salesforce.com", "https://test.salesforce.com")
LONGEST_ASSERTION_S = 300
_REASONS = {
    "invalid_client_id": "client identifier invalid",
    "invalid_client": "invalid client credentials",
    "inactive_user": "user is inactive",
    "invalid_grant": "user hasn't approved this consumer",
    "invalid_app_access": "user is not admin approved to access this app",
}


class RefusedLoginError(Exception):
    """Nobody is let in; `code` is OAuth's word for why."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code, self.description = code, description


async def token(request: Request) -> Response:
    """POST /services/oauth2/token."""
    asked = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    try:
        return answer(_log_in(org_of(request), request, asked))
    except RefusedLoginError as refusal:
        return answer({"error": refusal.code, "error_description": refusal.description}, 400)


def _log_in(org: Org, request: Request, asked: Mapping[str, str]) -> dict[str, Any]:
    if refusal := org.settings.login_error:
        raise RefusedLoginError(refusal, _REASONS.get(refusal, "synthetic"))
    if asked.get("response_type") == "device_code":
        _check_client_id(org, asked)
        return oauth_device.begin(org, request, asked)
    if asked.get("grant_type") == "device":
        _check_client_id(org, asked)
        code, description = oauth_device.refusal(org, asked)
        if code:
            raise RefusedLoginError(code, description)
        user = oauth_device.user_let_in(org, asked)
        return {**_session(org, request, user), "refresh_token": secrets.token_urlsafe(32)}
    if asked.get("grant_type") == "client_credentials":
        _check_client(org, request, asked)
        return {**_session(org, request), **_client_credentials_extras(org)}
    if asked.get("grant_type") == JWT_BEARER:
        _check_assertion(org, request, asked.get("assertion", ""))
        return _session(org, request)
    raise RefusedLoginError("unsupported_grant_type", "grant type not supported")


def _session(org: Org, request: Request, user: str = INTEGRATION_USER) -> dict[str, Any]:
    return {
        "access_token": org.log_in(user),
        "scope": "api",
        "instance_url": base_url(request),
        "id": identity_url(request, user),
        "token_type": "Bearer",
    }


def _check_client_id(org: Org, asked: Mapping[str, str]) -> None:
    if asked.get("client_id") != org.credentials.client_id:
        raise RefusedLoginError("invalid_client_id", "client identifier invalid")


def _client_credentials_extras(org: Org) -> dict[str, Any]:
    return {
        "signature": base64.b64encode(secrets.token_bytes(32)).decode(),
        "token_format": "opaque",
        "issued_at": str(int(org.now().timestamp() * 1000)),
        "api_instance_url": "https://api.salesforce.com",
    }


def _check_client(org: Org, request: Request, asked: Mapping[str, str]) -> None:
    client_id, secret = asked.get("client_id", ""), asked.get("client_secret", "")
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given_id, _, given_secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise RefusedLoginError("invalid_client", "invalid client credentials") from None
        client_id, secret = unquote(given_id), unquote(given_secret)
    if client_id != org.credentials.client_id:
        raise RefusedLoginError("invalid_client_id", "client identifier invalid")
    if not hmac.compare_digest(secret.encode(), org.credentials.client_secret.encode()):
        raise RefusedLoginError("invalid_client", "invalid client credentials")


def _check_assertion(org: Org, request: Request, assertion: str) -> None:
    known = org.credentials
    if known.public_key is None:
        raise RefusedLoginError("invalid_grant", "user hasn't approved this consumer")
    # Times are checked by the org's own clock, below.
    options = {"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
    try:
        claims = jwt.decode(assertion, known.public_key, algorithms=["RS256"], options=options)  # type: ignore[arg-type]
        expires_in_s = int(claims.get("exp", 0)) - org.now().timestamp()
    except (jwt.PyJWTError, ValueError, TypeError):
        raise RefusedLoginError("invalid_grant", "invalid assertion") from None
    if claims.get("iss") != known.client_id:
        raise RefusedLoginError("invalid_client_id", "client identifier invalid")
    if claims.get("aud") not in {*LOGIN_HOSTS, base_url(request)}:
        raise RefusedLoginError("invalid_grant", "audience is invalid")
    if not 0 < expires_in_s <= LONGEST_ASSERTION_S:
        raise RefusedLoginError("invalid_grant", "expired authorization code")
    if claims.get("sub") != known.username:
        raise RefusedLoginError("invalid_grant", "user hasn't approved this consumer")
