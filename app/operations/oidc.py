"""Sign-in at the issuer: sending a browser there, and what comes of whom it sends back.

Which claims make an operator or a viewer, and which is the name, the settings say.
"""

from collections.abc import Mapping
from typing import Any

from app.operations import federated_sign_in
from app.operations.accounts import Role
from app.operations.federated_sign_in import SignInRefusal, SignInReturn, SignInSuccess
from app.operations.sign_in import IdentityProvider, SignIn
from app.runtime import Runtime
from app.vendors.oidc import OidcClient

_ISSUER = IdentityProvider.ISSUER


async def begin(runtime: Runtime, wanted: str) -> tuple[str, str]:
    """Give the address to send a browser to, and what its cookie must hold.

    Raises  Unavailable
    """
    begun = federated_sign_in.begin(wanted)
    uri = federated_sign_in.redirect_uri(runtime, _ISSUER)
    address = await _client(runtime).address(uri, begun.state, begun.nonce, begun.verifier)
    return address, federated_sign_in.seal(runtime, _ISSUER, begun)


async def finish(runtime: Runtime, sign_in: SignIn, back: SignInReturn) -> SignInSuccess | SignInRefusal:
    """Give who comes back signed in, or why nobody does.

    Raises  Unavailable; Unauthorized when the issuer's answer does not count
    """
    begun = federated_sign_in.match(runtime, _ISSUER, back)
    if isinstance(begun, SignInRefusal):
        return begun
    uri = federated_sign_in.redirect_uri(runtime, _ISSUER)
    claims = await _client(runtime).claims(uri, back.code, begun.nonce, begun.verifier)
    name, role = _name(runtime, claims), _role(runtime, claims)
    if name is None:
        text = (
            f"The identity provider sent no usable {runtime.settings.oidc_name_claim}, or one that is not verified. "
            "Ask whoever manages it to send that claim, or to set OIDC_NAME_CLAIM to another."
        )
        return SignInRefusal("You have no name here", text, 403)
    if role is None:
        return SignInRefusal("You have no role here", _how_to_get_a_role(runtime), 403, name)
    return federated_sign_in.admit(sign_in, _ISSUER, role, name, begun.wanted)


def _client(runtime: Runtime) -> OidcClient:
    assert runtime.oidc is not None
    return runtime.oidc


def _name(runtime: Runtime, claims: Mapping[str, Any]) -> str | None:
    claim = runtime.settings.oidc_name_claim
    name = claims.get(claim)
    if not isinstance(name, str) or (claim == "email" and claims.get("email_verified") is False):
        return None
    return name if federated_sign_in.is_usable(name) else None


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
