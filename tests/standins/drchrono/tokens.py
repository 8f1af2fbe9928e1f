"""Codes and tokens: who may call, for how long, and what a second use of a refresh token costs.

A refresh token is single use, and using it kills the access token it came with. A used one that comes back
means two holders: everything of its user is revoked, and that person has to authorize again. All of that stays
within one application: a code or a token is good for the client it was given to, and for no other.
"""

import secrets
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

ALL_SCOPES = (
    "patients:read patients:write patients:summary:read patients:summary:write calendar:read calendar:write "
    "clinical:read clinical:write user:read user:write settings:read settings:write"
)


@dataclass(frozen=True, slots=True)
class Code:
    """What one press of Allow granted."""

    user: str
    redirect_uri: str
    scope: str
    expires_at: float
    client: str


@dataclass(slots=True)
class Pair:
    """An access token and the refresh token that came with it."""

    user: str
    access: str
    refresh: str
    scope: str
    expires_at: float
    given_at: float
    client: str


class Tokens:
    """What was granted and is still good. Moments are seconds of the monotonic clock."""

    def __init__(self) -> None:
        self.counts = Counter(grants=0, refreshes=0, reuses=0, revocations=0)
        self._codes: dict[str, Code] = {}
        self._by_access: dict[str, Pair] = {}
        self._by_refresh: dict[str, Pair] = {}
        self._used: dict[str, Pair] = {}  # refresh token -> what it was of

    def allow(self, user: str, redirect_uri: str, scope: str, lifetime_s: float, client: str) -> str:
        """Gives the code of a new authorization; no scope asked for means all of them."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = Code(user, redirect_uri, scope or ALL_SCOPES, time.monotonic() + lifetime_s, client)
        return code

    def exchange(
        self, code: str, redirect_uri: str, expires_in: int, client: str, *, alone: bool
    ) -> dict[str, Any] | None:
        """Gives a first pair for a code; with `alone`, earlier pairs of this user at this client die by it."""
        granted = self._codes.pop(code, None)
        if granted is None or (granted.redirect_uri, granted.client) != (redirect_uri, client):
            return None
        if granted.expires_at < time.monotonic():
            return None
        if alone:
            self.revoke_of(granted.user, client)
        self.counts["grants"] += 1
        return self._issue(granted.user, granted.scope, expires_in, client)

    def refresh(self, token: str, expires_in: int, client: str, *, rotate: bool = True) -> dict[str, Any] | None:
        """Gives the next pair, or None after having revoked all of the user's when the token was used before.

        Without `rotate` there is no new refresh token, and the old one stays good.
        """
        pair = self._used.get(token) or self._by_refresh.get(token)
        if pair is None or pair.client != client:
            return None
        if token in self._used:
            self.counts["reuses"] += 1
            self.revoke_of(pair.user, client)
            return None
        del self._by_refresh[token]
        self._by_access.pop(pair.access, None)
        self.counts["refreshes"] += 1
        if not rotate:
            answer = self._issue(pair.user, pair.scope, expires_in, client, token)
            del answer["refresh_token"]
            return answer
        self._used[token] = pair
        return self._issue(pair.user, pair.scope, expires_in, client)

    def grant_of(self, access: str, lag_s: float = 0.0) -> Pair | None:
        """Gives whose an access token is that lives; one younger than `lag_s` is not known everywhere yet."""
        pair, now = self._by_access.get(access), time.monotonic()
        return pair if pair and pair.expires_at > now and now - pair.given_at >= lag_s else None

    def client_of(self, access: str) -> str | None:
        """Gives which client an access token was given to, be it expired by now; None for one that is nobody's."""
        pair = self._by_access.get(access)
        return pair and pair.client

    def live(self, client: str | None = None) -> list[Pair]:
        """Gives the pairs that still lead somewhere, oldest first: those whose refresh token is good."""
        return [pair for pair in self._by_refresh.values() if client in (None, pair.client)]

    def expire(self) -> None:
        for pair in self._by_access.values():
            pair.expires_at = 0.0

    def revoke(self, token: str, client: str) -> None:
        """Counts as a revocation when there was something of this client's to revoke."""
        pair = self._by_refresh.get(token) or self._by_access.get(token)
        if pair is None or pair.client != client:
            return
        if token == pair.refresh:
            self._by_refresh.pop(token)
        self._by_access.pop(pair.access, None)
        self.counts["revocations"] += 1

    def revoke_of(self, user: str, client: str | None = None) -> None:
        """Without a client: at each of them."""
        for pairs in (self._by_access, self._by_refresh):
            for token in [
                token for token, pair in pairs.items() if pair.user == user and client in (None, pair.client)
            ]:
                del pairs[token]

    def shut_out(self, user: str) -> None:
        """Whatever was granted to a user is good for nothing from now on, codes included."""
        self.revoke_of(user)
        self._codes = {code: granted for code, granted in self._codes.items() if granted.user != user}

    def revoke_all(self) -> None:
        self._by_access.clear()
        self._by_refresh.clear()

    def _issue(self, user: str, scope: str, expires_in: int, client: str, refresh: str = "") -> dict[str, Any]:
        access, refresh = secrets.token_urlsafe(30), refresh or secrets.token_urlsafe(30)
        now = time.monotonic()
        pair = Pair(user, access, refresh, scope, now + expires_in, now, client)
        self._by_access[access] = self._by_refresh[refresh] = pair
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": expires_in,
            "refresh_token": refresh,
            "scope": scope,
        }
