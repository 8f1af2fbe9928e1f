"""The token broker: one refresher for all processes, whoever needs a token.

A token is read from the store for every call, and asked for only under a lease that all processes share; the others
wait and read what the winner stored. A new pair is durable before anyone uses it, because a refresh kills the old one.
A refusal is remembered, so that a bad credential never becomes a storm of log-ins, and so is a vendor's wish to be left
alone. Only the token endpoint's own word ends a connection for good; a fresh token that the API does not take is tried
again, ever less often. Between the vendor's answer and our commit a crash loses a single-use pair: nothing is done
there but the commit.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic
from typing import Any

from app.errors import LeaseLost, OtherInstance, OutcomeUnknown, StoreUnavailable, Unauthorized, Unavailable
from app.ports import StoredToken, TokenLease, TokenStore
from app.timings import TOKEN_LEASE


class UnstoredToken:
    """Keeps a token for as long as this object lives, for one user of it: what a check asks for is stored nowhere."""

    def __init__(self) -> None:
        self._kept = StoredToken()

    async def read(self) -> StoredToken:
        """Give what is kept."""
        return self._kept

    async def lease(self, _span: timedelta) -> TokenLease | None:
        """Give the right to ask."""
        return TokenLease("", self._kept.version, follows_cut_off=False)

    async def save(
        self,
        _lease: TokenLease,
        version: int,
        token: dict[str, Any],
        _refresh_in: timedelta | None = None,
        _lives: timedelta | None = None,
        *,
        is_doubted: bool = False,
    ) -> StoredToken:
        """Keep a token."""
        refused = (self._kept.refused_for_s, self._kept.refused_code) if is_doubted else (None, None)
        self._kept = StoredToken(token, version + 1, refused_for_s=refused[0], refused_code=refused[1])
        return self._kept

    async def refuse(self, _lease: TokenLease, code: str, again_in: timedelta | None = None) -> None:
        """Remember a refusal."""
        wait_s = again_in.total_seconds() if again_in else 0.0
        self._kept = replace(self._kept, refused_for_s=0.0, refused_code=code, ask_again_in_s=wait_s)

    async def trust(self, _version: int, _code: str) -> None:
        """Forget a refusal."""
        self._kept = replace(self._kept, refused_for_s=None, refused_code=None, ask_again_in_s=0.0)

    async def release(
        self, _lease: TokenLease, _ask_again_in: timedelta | None = None, *, is_answered: bool = True
    ) -> None:
        """Keep nothing new."""

    async def forget(self, _lease: TokenLease) -> None:
        """Forget the token."""
        self._kept = StoredToken()


CUT_OFF = "REFRESH_CUT_OFF"
NOT_TAKEN = "HTTP_401"  # the API does not take a token that its own token endpoint has just given
_OVER = frozenset({"invalid_grant", "invalid_client", "NOT_CONNECTED", CUT_OFF})  # until a person connects anew
_REFRESH_AT, _JITTER = 0.8, 0.05  # of the life the vendor states; the rest is margin for calls in flight
_ASK_AGAIN_AFTER_S = 60.0
_TRY_AGAIN_S, _LONGEST_S = 5.0, 300.0  # a token that is not taken; doubled each time
_OLD_S = 900.0  # a token that is not taken for so long may be dead: the token endpoint is asked for its word
_AWAY_S = 2.0
_LOOK_AGAIN_S = 0.05
_SAVE_AGAIN_S = 0.2
_GRANT_SHARE = 0.5  # of the lease: what is left of it is for saving the answer


Grant = Callable[[dict[str, Any] | None], Awaitable[dict[str, Any]]]
OnRefusal = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, with what came beside it; `version` tells two apart.

    is_fresh  no better one is to be had: it was asked for just now, by us, or not long ago
    """

    value: str
    version: int
    beside: dict[str, Any]
    is_fresh: bool = False

    def __repr__(self) -> str:
        return f"Token(version={self.version})"


@dataclass(frozen=True, slots=True, repr=False)
class DoubtedToken(Token):
    """A token that the API did not take when it was tried last."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a vendor's tokens want to be treated.

    is_final    they are single use: that the token endpoint does not know one stays until somebody connects anew; any
                other refusal is asked again in a minute
    remember_s  how long a token read from the store is used without reading it again; 0 where a refresh by another
                process kills it at once
    lease       how long one process may ask before another may
    """

    is_final: bool
    remember_s: float = 0.0
    lease: timedelta = TOKEN_LEASE


class Broker:
    """Gives the token of one side to everybody in this process.

    grant  asks the vendor for a token, given the stored one (None at first)
    tell   told in one named line what became of an asking
    """

    def __init__(self, side: str, store: TokenStore, grant: Grant, policy: Policy, tell: OnRefusal) -> None:
        self._side, self._store, self._grant, self._policy, self._tell = side, store, grant, policy, tell
        self._patience_s = policy.lease.total_seconds() * 4 / 3
        self._known: tuple[Token, float] | None = None
        self._queue = asyncio.Lock()
        self._asking: set[asyncio.Task[Token]] = set()

    async def current(self) -> Token:
        """Give the token to call with, as stored now: another process may have refreshed it, which killed the old one.

        Raises  Unauthorized when there is none and none is to be had; Unavailable when the vendor is away;
                OtherInstance when the database belongs to another installation
        """
        if self._known is not None and monotonic() - self._known[1] < self._policy.remember_s:
            return self._known[0]
        token = await self._newer_than(0)
        self._known = (token, monotonic())
        return token

    async def renewed(self, failed: Token) -> Token:
        """Give a token newer than one the vendor just refused: the stored one, else a fresh one.

        Raises  as `current`
        """
        self._known = None
        return await self._newer_than(failed.version)

    async def refuse(self, failed: Token, code: str) -> float | None:
        """Remember since when the vendor does not take even a fresh token.

        Gives  for how many seconds it is to be left alone, longer each time; None when the token has been replaced
        """
        self._known = None
        if (await self._store.read()).version != failed.version:
            return None
        lease = await self._leased()
        stored = await self._store.read()
        if stored.version != failed.version or stored.is_expired:
            await self._store.release(lease)
            return None
        since_s = stored.refused_for_s if stored.refused_code == code else None
        wait_s = min(max(since_s or 0.0, _TRY_AGAIN_S), _LONGEST_S)
        return None if await self._refused(lease, code, failed.version, None) else wait_s

    async def trust(self, token: DoubtedToken) -> None:
        """Remember that the vendor takes a token again, so that nobody doubts it any more."""
        self._known = None
        await self._store.trust(token.version, NOT_TAKEN)
        self._tell("token.taken", side=self._side)

    async def recover(self) -> None:
        """Ask for the token that follows the stored one: a refresh was cut off, so nobody knows whether that one lives.

        Raises  as `current`
        """
        self._known = None
        await self._newer_than((await self._store.read()).version)

    async def replace(self, token: dict[str, Any]) -> None:
        """Store a token that a person's consent gave us, whatever was there before."""
        self._known = None
        while True:
            lease = await self._leased()
            with suppress(LeaseLost):  # a slow refresher saved in between: what a person wants is newer
                await self._saved(lease, (await self._store.read()).version, token)
                return
            await self._let_go(lease)

    async def forget(self, revoke: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        """Have the stored token revoked, if there is one, and forget it, also when the vendor could not be told.

        Raises  whatever `revoke` raises, once it is forgotten
        """
        self._known, lease = None, await self._leased()
        stored = await self._store.read()
        try:
            if stored.token is not None:
                await revoke(stored.token)
        finally:
            try:
                await self._store.forget(lease)
            except LeaseLost:  # revoking took long
                await self._store.forget(await self._leased())

    async def close(self) -> None:
        """Wait for an asking under way: its answer must be stored."""
        await asyncio.gather(*self._asking, return_exceptions=True)

    async def _newer_than(self, version: int) -> Token:
        if token := self._usable(await self._store.read(), version):
            return token
        async with self._queue:  # those of this process ask one after the other, and mostly find it done
            deadline = monotonic() + self._patience_s  # of waiting: an asking under way is never cut off
            while monotonic() < deadline:
                if token := self._usable(await self._store.read(), version):
                    return token
                if lease := await self._store.lease(self._policy.lease):
                    return await self._asked_for(lease, version)
                await asyncio.sleep(_LOOK_AGAIN_S)
        raise Unavailable(self._side, "token", code="REFRESH_TAKES_TOO_LONG")

    def _usable(self, stored: StoredToken, version: int) -> Token | None:
        """Give the stored token, or None when one must be asked for now.

        Raises  Unauthorized, Unavailable when nobody may ask now; OtherInstance
        """
        if not stored.is_ours:
            raise OtherInstance
        token = _token(stored, version)
        if stored.refused_for_s is not None:
            code = stored.refused_code or ""
            if self._is_over(code):
                raise Unauthorized(self._side, "token", code=code)
            if stored.ask_again_in_s > 0 and token is None:
                raise Unauthorized(self._side, "token", code=code, retry_in_s=stored.ask_again_in_s)
        if token is not None and (not stored.is_stale or stored.ask_again_in_s > 0):
            return token  # an early refresh can wait until the vendor wants to be asked
        if stored.ask_again_in_s > 0:
            raise Unavailable(self._side, "token", code="TOKEN_NOT_NOW", retry_in_s=stored.ask_again_in_s)
        return None

    def _is_over(self, code: str) -> bool:
        """Say whether a refusal stays until a person connects anew."""
        return self._policy.is_final and code in _OVER

    async def _asked_for(self, lease: TokenLease, version: int) -> Token:
        """Ask in a task of its own, which ends in the store even when whoever waits for it gives up."""
        task = asyncio.create_task(self._ask(lease, version), name=f"token {self._side}")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return await asyncio.shield(task)

    async def _ask(self, lease: TokenLease, version: int) -> Token:
        """Ask under a lease, and end it: with the answer stored, or with what keeps others from asking in vain."""
        deadline = monotonic() + self._policy.lease.total_seconds() * _GRANT_SHARE
        stored = await self._store.read()
        try:
            usable = self._usable(stored, version)
        except BaseException:  # refused meanwhile, or to be left alone
            await self._store.release(lease, is_answered=not lease.follows_cut_off)
            raise
        if usable is not None:  # somebody was faster
            await self._store.release(lease, is_answered=not lease.follows_cut_off)
            return usable
        if lease.follows_cut_off:
            self._tell("token.cut_off_found", side=self._side, advice="trying the stored token once")
        try:
            async with asyncio.timeout(max(deadline - monotonic(), 0)):
                answer = await self._grant(stored.token)
        except BaseException as error:  # noqa: BLE001 - raised again, or a token that is still good
            return await self._without_answer(lease, stored, version, error)
        is_doubted = stored.refused_code == NOT_TAKEN  # until the API takes one, whichever the token endpoint gives
        try:
            saved = await self._saved(lease, stored.version, {**(stored.token or {}), **answer}, is_doubted=is_doubted)
        except LeaseLost:  # somebody has connected anew, or disconnected
            await self._let_go(lease)
            saved = await self._store.read()
        token = _token(saved, version)
        if token is None:
            raise Unauthorized(self._side, "token", code="NOT_CONNECTED")
        return replace(token, is_fresh=True)

    async def _without_answer(
        self, lease: TokenLease, stored: StoredToken, version: int, error: BaseException
    ) -> Token:
        """End a lease that brought no token; gives the one that is still good, where only an early refresh was due."""
        match error:
            case Unauthorized():
                is_lost = lease.follows_cut_off and self._policy.is_final and error.code == "invalid_grant"
                code = CUT_OFF if is_lost else error.cause
                wait_s = None if self._is_over(code) else _ASK_AGAIN_AFTER_S
                if saved := await self._refused(lease, code, version, wait_s):
                    return saved
                error = Unauthorized(self._side, "token", status=error.status, code=code, retry_in_s=wait_s)
                if wait_s is None:
                    raise error from None
            case Unavailable():
                await self._store.release(lease, timedelta(seconds=error.retry_in_s or _AWAY_S))
            case OutcomeUnknown() | TimeoutError():
                await self._store.release(lease, timedelta(seconds=_AWAY_S), is_answered=False)
                error = Unavailable(self._side, "token", code="NO_ANSWER", retry_in_s=_AWAY_S)
            case _:
                await self._store.release(lease, is_answered=False)
                raise error
        if good := _token(stored, version):
            return good
        raise error

    async def _refused(self, lease: TokenLease, code: str, version: int, wait_s: float | None) -> Token | None:
        """Remember a refusal; gives the token that somebody stored meanwhile, which the refusal says nothing of.

        wait_s  when the token endpoint is asked again; None: nobody knows when
        """
        try:
            await self._store.refuse(lease, code, None if wait_s is None else timedelta(seconds=wait_s))
        except LeaseLost:
            await self._let_go(lease)
            return _token(await self._store.read(), version)
        self._tell("token.refused", side=self._side, code=code, retry_in_s=wait_s)
        return None

    async def _let_go(self, lease: TokenLease) -> None:
        with suppress(LeaseLost):
            await self._store.release(lease)

    async def _saved(
        self, lease: TokenLease, version: int, token: dict[str, Any], *, is_doubted: bool = False
    ) -> StoredToken:
        """Store an answer, again and again while the database is away: a single-use pair exists only here."""
        lives = _life(token)
        share = _REFRESH_AT + random.uniform(-_JITTER, _JITTER)  # noqa: S311 - nothing hangs on guessing it
        refresh_in = None if lives is None else lives * share
        deadline = monotonic() + self._policy.lease.total_seconds()
        while True:
            try:
                stored = await self._store.save(lease, version, token, refresh_in, lives, is_doubted=is_doubted)
            except StoreUnavailable:
                if monotonic() > deadline:
                    self._tell("token.not_stored", side=self._side, advice="the practice may have to be connected anew")
                    raise
                await asyncio.sleep(_SAVE_AGAIN_S)
            else:
                self._tell("token.stored", side=self._side)
                return stored

    async def _leased(self) -> TokenLease:
        deadline = monotonic() + self._patience_s
        while monotonic() < deadline:
            if lease := await self._store.lease(self._policy.lease):
                return lease
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise Unavailable(self._side, "token", code="REFRESH_TAKES_TOO_LONG")


def _life(token: dict[str, Any]) -> timedelta | None:
    with suppress(TypeError, ValueError, OverflowError):
        if (life := float(token.get("expires_in") or 0)) > 0:
            return timedelta(seconds=life)
    return None


def _token(stored: StoredToken, newer_than: int) -> Token | None:
    """Give the stored token where it is newer than a version and its life is not over."""
    if stored.token is None or stored.version <= newer_than or stored.is_expired:
        return None
    value, is_doubted = stored.token["access_token"], stored.refused_code == NOT_TAKEN
    if is_doubted:
        is_young = stored.age_s is not None and stored.age_s < _OLD_S
        return DoubtedToken(value, stored.version, stored.token, is_fresh=is_young)
    return Token(value, stored.version, stored.token)
