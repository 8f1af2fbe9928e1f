"""Sign-in: what a token stands for, the sessions that are opened with one, and slowing down whoever guesses.

A token is never kept: only a print of it under the session key, which a session remembers too, so that another
OPERATOR_TOKEN ends the sessions of the old one. Wrong tokens are counted in memory, per process, because a stranger's
request must not write to the database: after some an address waits, twice as long each time. What is forgotten, oldest
first, are addresses beyond the first thousands.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic

from itsdangerous import BadSignature, Signer, URLSafeSerializer

from app.ports import By
from app.runtime import Runtime
from app.store import sessions

FREE = 5
_FIRST_S, _LONGEST_S, _FORGOTTEN_S = 1.0, 300.0, 3600.0
_MOST_ADDRESSES = 10_000


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


class SignInThrottle:
    """Who guessed wrong lately, and until when they wait (monotonic)."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Give how long an address must wait before it is listened to again."""
        count, last = self._wrong.get(address, (0, 0.0))
        if count < FREE or self._now() - last > _FORGOTTEN_S:
            return 0.0
        wait: float = min(_FIRST_S * 2 ** min(count - FREE, 20), _LONGEST_S)
        return max(last + wait - self._now(), 0.0)

    def wrong(self, address: str) -> None:
        """Count a wrong token."""
        count, last = self._wrong.pop(address, (0, self._now()))
        forgotten = self._now() - last > _FORGOTTEN_S
        self._wrong[address] = (1 if forgotten else count + 1, self._now())
        while len(self._wrong) > _MOST_ADDRESSES:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """Forget an address that knew the token."""
        self._wrong.pop(address, None)
