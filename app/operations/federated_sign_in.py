"""Federated sign-in: what is the same wherever a person proves who they are, be it the issuer's page or DrChrono's.

A browser is sent there and comes back with a code. What must come back the same lies sealed in a cookie of that
browser, so an answer counts for nobody else, at no other provider, and for ten minutes. Whom the provider then speaks
of, and which role that makes, each provider's own module says.
"""

import secrets
from dataclasses import astuple, dataclass

from app.errors import Undecryptable
from app.operations.accounts import NamedAccount, Role
from app.operations.sign_in import IdentityProvider, SignIn
from app.ports import SealedColumn
from app.runtime import Runtime

COOKIE_LIFE_S = 600
_LONGEST_NAME = 254


@dataclass(frozen=True, slots=True)
class SignInReturn:
    """What a browser came back with: the provider's parameters, and our cookie."""

    state: str
    code: str
    error: str
    cookie: str


@dataclass(frozen=True, slots=True)
class SignInRefusal:
    """Why nobody is signed in, and what to do about it; `name`: whom the provider meant, empty where nobody."""

    title: str
    text: str
    status: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class SignInSuccess:
    """Who is signed in, and the path they wanted."""

    account: NamedAccount
    wanted: str


@dataclass(frozen=True, slots=True)
class SignInBegun:
    """What a browser was sent away with; `nonce` and `verifier` (PKCE's) where the provider knows of them."""

    state: str
    nonce: str
    verifier: str
    wanted: str


def begin(wanted: str) -> SignInBegun:
    """Give what a browser is to be sent away with: nobody has seen it before."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return SignInBegun(state, nonce, verifier, wanted)


def seal(runtime: Runtime, provider: IdentityProvider, begun: SignInBegun) -> str:
    """Give what the cookie of that browser must hold."""
    kept = [provider.value, runtime.now().timestamp(), *astuple(begun)]
    return runtime.vault.seal(kept, SealedColumn.SIGN_IN_COOKIE.value)


def redirect_uri(runtime: Runtime, provider: IdentityProvider) -> str:
    """Give the address the provider sends a browser back to; it must be registered there letter by letter."""
    return f"{runtime.settings.public_url}{provider.callback}"


def match(runtime: Runtime, provider: IdentityProvider, back: SignInReturn) -> SignInBegun | SignInRefusal:
    """Give what this browser was sent away with, where it brings that back with a code; else a refusal."""
    begun = _opened(runtime, provider, back.cookie)
    if begun is None or not secrets.compare_digest(begun.state.encode(), back.state.encode("utf-8", "surrogatepass")):
        text = "This answer does not belong to a sign-in from this browser, or took longer than 10 minutes."
        return SignInRefusal("This sign-in cannot be used", text, 400)
    if back.error or not back.code:
        text = f"{provider.label} signed nobody in. Try again there, or sign in with a secret."
        return SignInRefusal("You are not signed in", text, 403)
    return begun


def is_usable(name: str) -> bool:
    """Say whether the audit can hold a name, and show it for what it is."""
    return 0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip()


def admit(
    sign_in: SignIn, provider: IdentityProvider, role: Role, name: str, wanted: str
) -> SignInSuccess | SignInRefusal:
    """Give somebody with a role as signed in; a name that is another account's too is refused."""
    account = sign_in.by_provider(provider, role, name)
    if account is None:
        text = "Your name is also that of another account here, so the audit could not tell you apart."
        return SignInRefusal("This name is taken", f"{text} Ask the operator to rename that account.", 403, name)
    return SignInSuccess(account, wanted)


def _opened(runtime: Runtime, provider: IdentityProvider, cookie: str) -> SignInBegun | None:
    try:
        of, at, *begun = runtime.vault.open(cookie, SealedColumn.SIGN_IN_COOKIE.value)
    except (Undecryptable, ValueError, TypeError):
        return None
    is_fresh = of == provider.value and 0 <= runtime.now().timestamp() - at <= COOKIE_LIFE_S
    return SignInBegun(*begun) if is_fresh else None
