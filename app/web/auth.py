"""Who asks: a script by its bearer token, or a person by the session they signed in to; and what they may do.

A bearer needs no session and no CSRF token, because no browser sends it by itself. A session's requests that change
anything must carry the token its pages carry. The role is known before anything else of a request is looked at.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from itsdangerous import BadSignature, Signer, URLSafeSerializer

from app.ports import By
from app.runtime import Runtime
from app.settings.fields import Settings
from app.store import sessions
from app.store.database import Database

SESSION_COOKIE = "chronobridge_session"
CSRF_FIELD, CSRF_HEADER = "csrf_token", "x-csrf-token"
POLL_HEADER = "x-poll"  # a page that looks again by itself: nobody need be sitting in front of it
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


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


class Access:
    """Knows the tokens and the sessions."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        key = settings.signing_key
        self._cookie = URLSafeSerializer(key, salt="session", signer_kwargs={"digest_method": hashlib.sha256})
        self._csrf = Signer(key, salt="csrf", digest_method=hashlib.sha256)
        self._print_key = key
        given = ((Role.OPERATOR, settings.operator_token), (Role.VIEWER, settings.viewer_token))
        self._prints = {role: self._print(token.get_secret_value()) for role, token in given if token is not None}

    def role_of_token(self, token: str) -> Role | None:
        """Give the role a token stands for; every known one is compared, in constant time."""
        return self._role_of_print(self._print(token))

    async def sign_in(self, role: Role) -> str:
        """Begin a session, and give what its cookie holds."""
        session = secrets.token_urlsafe(32)
        await sessions.begin(self._database, _hash(session), self._prints[role])
        return str(self._cookie.dumps(session))

    async def sign_out(self, request: Request) -> None:
        """End the session of a request, if it has one."""
        if session := self._session(request):
            await sessions.end(self._database, _hash(session))

    async def caller(self, request: Request) -> Caller | None:
        """Give who asks; None for a stranger.

        Raises  StoreUnavailable when a session cannot be looked up
        """
        if given := request.headers.get("authorization"):
            scheme, _, token = given.partition(" ")
            role = self.role_of_token(_as_sent(token).strip()) if scheme.lower() == "bearer" else None
            return Caller(role) if role else None
        session = self._session(request)
        is_used = POLL_HEADER not in request.headers
        found = await sessions.token_of(self._database, _hash(session), is_used=is_used) if session else None
        role = self._role_of_print(found) if found else None
        if role is None or session is None:
            return None
        return Caller(role, self._csrf.get_signature(session).decode(), f"session {_hash(session)[:8]}")

    def _session(self, request: Request) -> str | None:
        try:
            session = self._cookie.loads(request.cookies.get(SESSION_COOKIE, ""))
        except BadSignature:
            return None
        return session if isinstance(session, str) else None

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


def _as_sent(header: str) -> str:
    """Give a header's text as UTF-8, which is what settings and forms are; the server reads headers as latin-1."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


def _hash(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()


async def reader(request: Request) -> Caller:
    """Let whoever may read the operator's JSON in; 401 for a stranger, 403 for a session's request that is forged."""
    access: Access = request.app.state.access
    found = await access.caller(request)
    if found is None:
        raise HTTPException(401, "send Authorization: Bearer with OPERATOR_TOKEN", {"WWW-Authenticate": "Bearer"})
    if request.method not in _SAFE and not (
        is_meant(found, request.headers.get(CSRF_HEADER)) and (found.csrf is None or not is_from_elsewhere(request))
    ):
        raise HTTPException(
            403, f"a signed-in page sends {CSRF_HEADER} with what changes something; a script, a bearer"
        )
    return found


def operator(found: Annotated[Caller, Depends(reader)]) -> Caller:
    """Let only operators act; 403 for a viewer."""
    if found.role is not Role.OPERATOR:
        raise HTTPException(403, "VIEWER_TOKEN reads only; use OPERATOR_TOKEN")
    return found


def is_meant(found: Caller, csrf: str | None) -> bool:
    """Say whether the request came from a page of ours: it carries the session's token, or needs none."""
    return found.csrf is None or (csrf is not None and hmac.compare_digest(found.csrf.encode(), csrf.encode()))


def is_from_elsewhere(request: Request) -> bool:
    """Say whether a browser tells that another site sent this request; scripts tell nothing."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    runtime: Runtime = request.app.state.runtime
    origin = request.headers.get("origin")
    ours = {runtime.settings.public_url, f"{request.url.scheme}://{request.headers.get('host', '')}"}
    return origin is not None and origin not in ours
