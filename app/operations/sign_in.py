"""Sign-in: what a token stands for, and the sessions that are opened with one.

A token is never kept: only a print of it under the session key, which a session remembers too, so that another
OPERATOR_TOKEN ends the sessions of the old one.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum

from itsdangerous import BadSignature, Signer, URLSafeSerializer

from app.ports import By
from app.runtime import Runtime
from app.store import sessions


class Role(StrEnum):
    """Who asks."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody we know. `csrf` is what the forms of their session must carry; None for a bearer."""

    role: Role
    csrf: str | None = None
    who: str = "bearer"

    @property
    def may_act(self) -> bool:
        """Whether more than reading is allowed."""
        return self.role is Role.OPERATOR

    @property
    def by(self) -> By:
        """How the audit names them."""
        return By(self.role.value, self.who)


class SignIn:
    """Knows the tokens and the sessions."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.database
        key = self._print_key = runtime.settings.signing_key
        self._cookie = URLSafeSerializer(key, salt="session", signer_kwargs={"digest_method": hashlib.sha256})
        self._csrf = Signer(key, salt="csrf", digest_method=hashlib.sha256)
        given = ((Role.OPERATOR, runtime.settings.operator_token), (Role.VIEWER, runtime.settings.viewer_token))
        self._prints = {role: self._print(token.get_secret_value()) for role, token in given if token is not None}

    def role_of_token(self, token: str) -> Role | None:
        """Give the role a token stands for; every known one is compared, in constant time."""
        return self._role_of_print(self._print(token))

    def bearer(self, token: str) -> Caller | None:
        """Give who sends a token with their request; None for a stranger."""
        role = self.role_of_token(token)
        return Caller(role) if role else None

    async def begin(self, role: Role) -> str:
        """Begin a session, and give what its cookie holds.

        Raises  StoreUnavailable
        """
        session = secrets.token_urlsafe(32)
        await sessions.begin(self._database, _hash(session), self._prints[role])
        return str(self._cookie.dumps(session))

    async def end(self, cookie: str) -> None:
        """End the session of a cookie, if it is one of ours.

        Raises  StoreUnavailable
        """
        if session := self._session(cookie):
            await sessions.end(self._database, _hash(session))

    async def signed_in(self, cookie: str, *, is_used: bool) -> Caller | None:
        """Give whose session a cookie is; None for a stranger, and once it is over. `is_used`: count it as use.

        Raises  StoreUnavailable
        """
        if (session := self._session(cookie)) is None:
            return None
        found = await sessions.token_of(self._database, _hash(session), is_used=is_used)
        role = self._role_of_print(found) if found else None
        if role is None:
            return None
        return Caller(role, self._csrf.get_signature(session).decode(), f"session {_hash(session)[:8]}")

    def _session(self, cookie: str) -> str | None:
        try:
            session = self._cookie.loads(cookie)
        except BadSignature:
            return None
        return session if isinstance(session, str) and session else None

    def _print(self, token: str) -> str:
        return hmac.new(
            self._print_key, b"token " + token.encode("utf-8", "surrogateescape"), hashlib.sha256
        ).hexdigest()

    def _role_of_print(self, print_: str) -> Role | None:
        found = None
        for role, known in self._prints.items():
            if hmac.compare_digest(print_, known):
                found = role
        return found


def _hash(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()
