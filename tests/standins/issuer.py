"""An OpenID Connect issuer that signs in whoever it is told to, and can be told to answer wrongly.

Authorization code flow with PKCE, client_secret_basic or _post, RS256. What it says of people and how it misbehaves is
set by `POST /_control`: `claims` of the person, `wrong` (one of WRONGS), `is_down`, `slow_s`; `rotates` makes a key.

Source  OpenID Connect Core 1.0, 3.1; Discovery 1.0; RFC 7636
"""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "chronobridge", "secret-of-the-client-at-the-issuer"
WRONGS = (
    "nonce",
    "no_nonce",
    "audience",
    "issuer",
    "expired",
    "unsigned",
    "hmac",
    "foreign_key",
    "garbage",
    "no_token",
    "page",
)


@dataclass
class _Key:
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    private: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def public(self) -> dict[str, Any]:
        known = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key()))
        return known | {"kid": self.id, "use": "sig", "alg": "RS256"}


@dataclass
class _State:
    key: _Key = field(default_factory=_Key)
    claims: dict[str, Any] = field(default_factory=dict)
    wrong: str = ""
    is_down: bool = False
    slow_s: float = 0.0
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)


def issuer_app() -> Starlette:
    """Give an issuer nobody has told anything yet."""
    routes = [
        Route("/.well-known/openid-configuration", _discovery),
        Route("/jwks", _jwks),
        Route("/authorize", _authorize),
        Route("/token", _token, methods=["POST"]),
        Route("/_control", _control, methods=["POST"]),
    ]
    app = Starlette(routes=routes)
    app.state.it = _State()
    return app


async def _control(request: Request) -> Response:
    it: _State = request.app.state.it
    told = await request.json()
    if told.pop("rotates", False):
        it.key = _Key()
    if told.pop("resets", False):
        it.claims, it.wrong, it.is_down, it.slow_s, it.calls = {}, "", False, 0.0, []
    for name, value in told.items():
        setattr(it, name, value)
    return JSONResponse({"calls": it.calls})


async def _ready(request: Request) -> Response | None:
    it: _State = request.app.state.it
    it.calls.append(f"{request.method} {request.url.path}")
    await asyncio.sleep(it.slow_s)
    return Response("<html>maintenance</html>", 503, media_type="text/html") if it.is_down else None


async def _discovery(request: Request) -> Response:
    if (away := await _ready(request)) is not None:
        return away
    here = str(request.base_url).rstrip("/")
    return JSONResponse(
        {
            "issuer": here,
            "authorization_endpoint": f"{here}/authorize",
            "token_endpoint": f"{here}/token",
            "jwks_uri": f"{here}/jwks",
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }
    )


async def _jwks(request: Request) -> Response:
    if (away := await _ready(request)) is not None:
        return away
    return JSONResponse({"keys": [request.app.state.it.key.public()]})


async def _authorize(request: Request) -> Response:
    it: _State = request.app.state.it
    asked = dict(request.query_params)
    if asked.get("response_type") != "code" or asked.get("client_id") != CLIENT_ID:
        return Response("this client or flow is not known", 400)
    if asked.get("code_challenge_method") != "S256" or "openid" not in asked.get("scope", "").split():
        return Response("PKCE with S256 and the scope openid are required", 400)
    if not it.claims:
        back = {"error": "access_denied", "state": asked["state"]}
    else:
        code = secrets.token_urlsafe(16)
        it.codes[code] = asked
        back = {"code": code, "state": asked["state"]}
    return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 303)


async def _token(request: Request) -> Response:
    it: _State = request.app.state.it
    if (away := await _ready(request)) is not None:
        return away
    given = dict(parse_qsl((await request.body()).decode()))
    scheme, _, basic = request.headers.get("authorization", "").partition(" ")
    known = base64.b64decode(basic).decode().partition(":") if scheme == "Basic" else ("", "", "")
    client = (known[0] or given.get("client_id"), known[2] or given.get("client_secret"))
    if client != (CLIENT_ID, CLIENT_SECRET):
        return JSONResponse({"error": "invalid_client"}, 401)
    asked = it.codes.pop(given.get("code", ""), None)
    verifier = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
    challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
    if asked is None or asked["redirect_uri"] != given.get("redirect_uri") or asked["code_challenge"] != challenge:
        return JSONResponse({"error": "invalid_grant"}, 400)
    if it.wrong == "page":
        return Response("<html>a proxy's page</html>", media_type="text/html")
    answer = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 300}
    token = {} if it.wrong == "no_token" else {"id_token": _id_token(it, str(request.base_url).rstrip("/"), asked)}
    return JSONResponse(answer | token)


def _id_token(it: _State, here: str, asked: dict[str, str]) -> str:
    now = int(time.time())
    claims = {
        "iss": here,
        "sub": "7",
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + 300,
        "nonce": asked["nonce"],
        **it.claims,
    }
    match it.wrong:
        case "nonce":
            claims["nonce"] = "another"
        case "no_nonce":
            del claims["nonce"]
        case "audience":
            claims["aud"] = "another-client"
        case "issuer":
            claims["iss"] = "https://another.example"
        case "expired":
            claims |= {"iat": now - 7200, "exp": now - 3600}
        case "unsigned":
            return jwt.encode(claims, None, "none", {"kid": it.key.id})
        case "hmac":
            return jwt.encode(claims, CLIENT_SECRET, "HS256", {"kid": it.key.id})
        case "garbage":
            return "e30.e30.e30"
        case "foreign_key":
            return jwt.encode(claims, _Key().private, "RS256", {"kid": it.key.id})
    return jwt.encode(claims, it.key.private, "RS256", {"kid": it.key.id})
