"""Sign-in at the issuer: sending a browser there, and what comes of whom it sends back.

What must come back the same (the state, the nonce, PKCE's verifier) lies sealed in a cookie of that browser, so an
answer counts for nobody else and for ten minutes. Which claims make an operator or a viewer, and which is the name, the
settings say.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import Undecryptable
from app.operations.accounts import NamedAccount, Role
from app.operations.sign_in import SignIn
from app.ports import SealedColumn
from app.runtime import Runtime
from app.vendors.oidc import OidcClient

CALLBACK = "/login/oidc/callback"
COOKIE_LIFE_S = 600
_LONGEST_NAME = 254


@dataclass(frozen=True, slots=True)
class OidcReturn:
    """What a browser came back with: the issuer's parameters, and our cookie."""

    state: str
    code: str
    error: str
    cookie: str


@dataclass(frozen=True, slots=True)
class OidcRefusal:
    """Why nobody is signed in, and what to do about it; `name`: whom the issuer meant, empty where nobody."""

    title: str
    text: str
    status: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class OidcSuccess:
    """Who is signed in, and the path they wanted."""

    account: NamedAccount
    wanted: str


async def begin(runtime: Runtime, client: OidcClient, wanted: str) -> tuple[str, str]:
    """Give the address to send a browser to, and what its cookie must hold.

    Raises  Unavailable
    """
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    address = await client.address(_callback(runtime), state, nonce, verifier)
    kept = [state, nonce, verifier, wanted, runtime.now().timestamp()]
    return address, runtime.vault.seal(kept, SealedColumn.SIGN_IN_COOKIE.value)


async def finish(runtime: Runtime, client: OidcClient, sign_in: SignIn, back: OidcReturn) -> OidcSuccess | OidcRefusal:
    """Give who comes back signed in, or why nobody does.

    Raises  Unavailable; Unauthorized when the issuer's answer does not count
    """
    kept = _opened(runtime, back.cookie)
    if kept is None or not secrets.compare_digest(kept.state.encode(), back.state.encode("utf-8", "surrogatepass")):
        text = "This answer does not belong to a sign-in from this browser, or took longer than 10 minutes."
        return OidcRefusal("This sign-in cannot be used", text, 400)
    if back.error or not back.code:
        text = "The identity provider signed nobody in. Try again there, or sign in with a secret."
        return OidcRefusal("You are not signed in", text, 403)
    claims = await client.claims(_callback(runtime), back.code, kept.nonce, kept.verifier)
    name, role = _name(runtime, claims), _role(runtime, claims)
    if name is None:
        text = (
            f"The identity provider sent no usable {runtime.settings.oidc_name_claim}, or one that is not verified. "
            "Ask whoever manages it to send that claim, or to set OIDC_NAME_CLAIM to another."
        )
        return OidcRefusal("You have no name here", text, 403)
    if role is None:
        return OidcRefusal("You have no role here", _how_to_get_a_role(runtime), 403, name)
    account = sign_in.by_issuer(role, name)
    if account is None:
        text = "Your name is also an account of the service's settings, so the audit could not tell you apart."
        return OidcRefusal("This name is taken", f"{text} Ask the operator to rename that account.", 403, name)
    return OidcSuccess(account, kept.wanted)


@dataclass(frozen=True, slots=True)
class _Begun:
    state: str
    nonce: str
    verifier: str
    wanted: str


def _callback(runtime: Runtime) -> str:
    return f"{runtime.settings.public_url}{CALLBACK}"


def _opened(runtime: Runtime, cookie: str) -> _Begun | None:
    try:
        *begun, at = runtime.vault.open(cookie, SealedColumn.SIGN_IN_COOKIE.value)
    except (Undecryptable, ValueError, TypeError):
        return None
    return _Begun(*begun) if 0 <= runtime.now().timestamp() - at <= COOKIE_LIFE_S else None


def _name(runtime: Runtime, claims: Mapping[str, Any]) -> str | None:
    claim = runtime.settings.oidc_name_claim
    name = claims.get(claim)
    if not isinstance(name, str) or (claim == "email" and claims.get("email_verified") is False):
        return None
    return name if 0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip() else None


def _role(runtime: Runtime, claims: Mapping[str, Any]) -> Role | None:
    for role, wanted in (
        (Role.OPERATOR, runtime.settings.oidc_operator_claim),
        (Role.VIEWER, runtime.settings.oidc_viewer_claim),
    ):
        if any(_has(claims, *one.split("=", 1)) for one in wanted):
            return role
    return None


def _has(claims: Mapping[str, Any], claim: str, wanted: str) -> bool:
    """Say whether a claim is a value, or a list that holds it; a dot in its name leads into another."""
    found: Any = claims.get(claim)
    if claim not in claims:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    values = found if isinstance(found, list) else [found]
    return any((str(one).lower() if isinstance(one, bool) else one) == wanted for one in values)


def _how_to_get_a_role(runtime: Runtime) -> str:
    known = runtime.settings
    ways = [
        f"{' or '.join(wanted)} to {what}"
        for wanted, what in ((known.oidc_operator_claim, "act"), (known.oidc_viewer_claim, "read"))
        if wanted
    ]
    return f"Ask whoever manages the identity provider to give you {', or '.join(ways)}; then sign in again."
