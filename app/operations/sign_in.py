"""Sign-in: who sends a request, by a bearer's token or a session, and what the audit notes of signing in.

A session remembers whose it is and the print of the account it was begun with, so that a changed secret, another role
or an account that is gone ends its sessions. Who was refused is noted once a minute for an account and for all others,
with how often it was: a stranger's requests must not write to the database without end.
"""

import hashlib
import re
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from hmac import compare_digest
from time import monotonic

from itsdangerous import BadSignature, Signer, URLSafeSerializer

from app.errors import StoreUnavailable
from app.log import log
from app.operations.accounts import Accounts, NamedAccount, Role
from app.ports import Act, Action, By
from app.runtime import Runtime
from app.store import audit, sessions

_REFUSALS_S = 60.0
_OF_STAFF = re.compile(r".*\(DrChrono [0-9]+\)")  # how staff_sign_in names a user
_MOST_NAMES = 10_000


class IdentityProvider(StrEnum):
    """Where a person proves who they are, other than by a secret of ours; the value is part of what sessions keep."""

    ISSUER = "issuer"
    DRCHRONO = "drchrono"

    @property
    def label(self) -> str:
        """What people call it, at the beginning of a sentence."""
        return "The identity provider" if self is IdentityProvider.ISSUER else "DrChrono"

    @property
    def path(self) -> str:
        """The address of ours that sends a browser there."""
        return "/login/oidc" if self is IdentityProvider.ISSUER else "/login/drchrono"

    @property
    def callback(self) -> str:
        """The address of ours that it sends a browser back to."""
        return f"{self.path}/callback"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody we know. `csrf` is what the forms of their session must carry; None for a bearer."""

    role: Role
    csrf: str | None = None
    who: str = "bearer"
    name: str = ""
    is_poll: bool = False

    @property
    def may_act(self) -> bool:
        """Whether more than reading is allowed."""
        return self.role is Role.OPERATOR

    @property
    def by(self) -> By:
        """How the audit names them."""
        return By(self.role.value, self.who, self.name, self.is_poll)


class SignIn:
    """Knows the accounts and the sessions."""

    def __init__(self, runtime: Runtime, now: Callable[[], float] = monotonic) -> None:
        known = runtime.settings
        self._now, self._refusals = now, Counter[str]()
        self._refused_at: OrderedDict[str, float] = OrderedDict()
        self._database = runtime.database
        key = known.signing_key
        self._cookie = URLSafeSerializer(key, salt="session", signer_kwargs={"digest_method": hashlib.sha256})
        self._csrf = Signer(key, salt="csrf", digest_method=hashlib.sha256)
        self.accounts = Accounts(key, known.operators, known.viewers, known.operator_token, known.viewer_token)
        self._by_provider = {
            provider: self.accounts.print_of(provider.value, identity)
            for provider, identity in _identities(runtime)
            if identity
        }

    async def bearer(self, token: str) -> Caller | None:
        """Give who sends a token with their request; None for a stranger.

        Raises  TooManyChecks
        """
        found = await self.accounts.of_token(token)
        return Caller(found.role, name=found.name) if found else None

    def by_provider(self, provider: IdentityProvider, role: Role, name: str) -> NamedAccount | None:
        """Give whom a provider has signed in; None where the name is somebody else's too: of the settings, or staff."""
        known = self._by_provider.get(provider)
        is_taken = self.accounts.name_of(name) is not None or (
            provider is not IdentityProvider.DRCHRONO and _OF_STAFF.fullmatch(name) is not None
        )
        return None if known is None or is_taken else NamedAccount(role, name, known)

    async def begin(self, account: NamedAccount) -> str:
        """Begin a session, note it, and give what its cookie holds.

        Raises  StoreUnavailable
        """
        session = secrets.token_urlsafe(32)
        caller = self._caller(session, account)
        await sessions.begin(self._database, _hash(session), account.print, account.role.value, account.name)
        await audit.record(self._database, Act(caller.by, Action.SIGN_IN, account.name, 0))
        return str(self._cookie.dumps(session))

    async def end(self, cookie: str) -> None:
        """End the session of a cookie, if it is one of ours, and note it.

        Raises  StoreUnavailable
        """
        found = await self.signed_in(cookie, is_used=False)
        if session := self._session(cookie):
            await sessions.end(self._database, _hash(session))
        if found is not None:
            await audit.record(self._database, Act(found.by, Action.SIGN_OUT, found.name, 0))

    async def refused(self, name: str) -> None:
        """Note that somebody was refused: at once, and those of the next minute by their number.

        name    of the account that was tried; empty where there is none of that name
        """
        self.count_refused(name)
        if self._now() - self._refused_at.get(name, -_REFUSALS_S) >= _REFUSALS_S:
            await self._note_refusals(name)

    def count_refused(self, name: str) -> None:
        """Count somebody who was refused, for the next note: a bearer's guess must cost the database nothing."""
        self._refusals[name] += 1

    async def note_refusals(self) -> None:
        """Note those who were refused since the last note of their account."""
        for name in [name for name, count in self._refusals.items() if count]:
            await self._note_refusals(name)

    async def _note_refusals(self, name: str) -> None:
        count, self._refusals[name] = self._refusals[name], 0
        self._refused_at[name] = self._now()
        while len(self._refused_at) > _MOST_NAMES:
            self._refused_at.popitem(last=False)
        try:
            act = Act(By("stranger", "sign-in", name), Action.SIGN_IN_REFUSED, name or "no account of ours", count)
            await audit.record(self._database, act)
        except StoreUnavailable:  # refusing must not need the database
            self._refusals[name] += count
            log.warning("login.refused_unnoted", records=count)

    async def signed_in(self, cookie: str, *, is_used: bool) -> Caller | None:
        """Give whose session a cookie is; None for a stranger, and once it is over. `is_used`: count it as use.

        Raises  StoreUnavailable
        """
        if (session := self._session(cookie)) is None:
            return None
        found = await sessions.find(self._database, _hash(session), is_used=is_used)
        if found is None:
            return None
        account = self.accounts.of_print(found.token)
        for provider, known in self._by_provider.items():
            if account is None and compare_digest(found.token, known):
                account = self.by_provider(provider, Role(found.role), found.name)
        return replace(self._caller(session, account), is_poll=not is_used) if account else None

    def _caller(self, session: str, account: NamedAccount) -> Caller:
        csrf = self._csrf.get_signature(session).decode()
        return Caller(account.role, csrf, f"session {_hash(session)[:8]}", account.name)

    def _session(self, cookie: str) -> str | None:
        try:
            session = self._cookie.loads(cookie)
        except BadSignature:
            return None
        return session if isinstance(session, str) and session else None


def _hash(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()


def _identities(runtime: Runtime) -> Iterator[tuple[IdentityProvider, str]]:
    """Give what sessions by each provider stand on: a change of it ends them; empty where none is set up."""
    known = runtime.settings
    roles = (*known.oidc_operator_claim, "/", *known.oidc_viewer_claim)
    issuer = (known.oidc_issuer or "", known.oidc_client_id or "", known.oidc_name_claim, *roles)
    yield IdentityProvider.ISSUER, " ".join(issuer) if known.oidc_issuer else ""
    staff = sorted(f"{who}={role}" for who, role in known.drchrono_roles.items())
    application = known.drchrono_sign_in_client_id
    yield IdentityProvider.DRCHRONO, " ".join((application, *staff)) if application else ""
