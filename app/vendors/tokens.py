"""The broker: one refresher for all processes, whoever needs a token.

A token is read from the store for every call, and fetched anew only under a lease that all processes share; the others
wait and read what the winner stored. A new pair is durable before anyone uses it, because a refresh kills the old one.
A refusal is remembered, so that a bad credential never becomes a storm of log-ins.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any, Protocol

from app.errors import Unauthorized, Unavailable

_REFRESH_AT = 0.8  # of the life the vendor states; the rest is margin for calls in flight
_ASK_AGAIN_AFTER_S = 60.0
_LOOK_AGAIN_S = 0.05
_PATIENCE_S = 40.0


class Stored(Protocol):
    """A token as the store holds it."""

    @property
    def token(self) -> dict[str, Any] | None:
        """What the vendor gave; None before there was one."""

    @property
    def version(self) -> int:
        """Grows with every token stored."""

    @property
    def is_stale(self) -> bool:
        """Whether an early refresh is due."""

    @property
    def refused_for_s(self) -> float | None:
        """How long ago the vendor refused our credential; None when it did not."""

    @property
    def refused_code(self) -> str | None:
        """What it said."""


class TokenStore(Protocol):
    """What the broker needs of the store."""

    async def read(self) -> Stored:
        """Give what is stored now."""

    async def lease(self) -> str | None:
        """Take the right to refresh; None when another process has it."""

    async def save(self, lease: str, token: dict[str, Any], refresh_in: timedelta | None) -> Stored:
        """Store a token durably and let the lease go."""

    async def refuse(self, lease: str, code: str) -> None:
        """Remember a refusal and let the lease go."""

    async def release(self, lease: str) -> None:
        """Let the lease go unused."""


Grant = Callable[[dict[str, Any] | None], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, with what came beside it; `version` tells two apart."""

    value: str
    version: int
    beside: dict[str, Any]

    def __repr__(self) -> str:
        return f"Token(version={self.version})"


class Broker:
    """Gives the token of one side to everybody in this process.

    grant       asks the vendor for a token, given the stored one (None at first)
    is_final    a refusal stays until somebody connects anew; else it is asked again after a minute
    remember_s  how long a token read from the store is used without reading it again; 0 where a refresh by another
                process kills it at once
    """

    def __init__(self, side: str, store: TokenStore, grant: Grant, *, is_final: bool, remember_s: float = 0.0) -> None:
        self._side, self._store, self._grant, self._is_final = side, store, grant, is_final
        self._remember_s = remember_s
        self._known: tuple[Token, float] | None = None

    async def current(self) -> Token:
        """Give the token to call with, as stored now: another process may have refreshed it, which killed the old one.

        Raises  Unauthorized when there is none and none is to be had; Unavailable when the vendor is away
        """
        if self._known is not None and monotonic() - self._known[1] < self._remember_s:
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

    async def refuse(self, failed: Token, code: str) -> None:
        """Remember that the vendor refuses even a fresh token."""
        self._known = None
        if (await self._store.read()).version == failed.version and (lease := await self._store.lease()):
            await self._store.refuse(lease, code)

    async def replace(self, token: dict[str, Any]) -> None:
        """Store a token that a person's consent gave us, whatever was there before."""
        self._known, lease = None, await self._leased()
        await self._store.save(lease, token, _refresh_in(token))

    async def _newer_than(self, version: int) -> Token:
        deadline = monotonic() + _PATIENCE_S  # counted while waiting only: a fetch under way is never cut off
        while monotonic() < deadline:
            stored = await self._store.read()
            self._check(stored)
            if stored.token and stored.version > version and not stored.is_stale:
                return _token(stored)
            if lease := await self._store.lease():
                return await self._fetch(lease, version)
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise Unavailable(self._side, "token", code="REFRESH_TAKES_TOO_LONG")

    async def _fetch(self, lease: str, version: int) -> Token:
        stored = await self._store.read()
        if stored.token and stored.version > version and not stored.is_stale:
            await self._store.release(lease)  # somebody was faster
            return _token(stored)
        try:
            token = await self._grant(stored.token)
        except Unauthorized as error:
            await self._store.refuse(lease, error.cause)
            raise
        except BaseException:
            await self._store.release(lease)
            raise
        return _token(await self._store.save(lease, {**(stored.token or {}), **token}, _refresh_in(token)))

    async def _leased(self) -> str:
        deadline = monotonic() + _PATIENCE_S
        while monotonic() < deadline:
            if lease := await self._store.lease():
                return lease
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise Unavailable(self._side, "token", code="REFRESH_TAKES_TOO_LONG")

    def _check(self, stored: Stored) -> None:
        if stored.refused_for_s is not None and (self._is_final or stored.refused_for_s < _ASK_AGAIN_AFTER_S):
            raise Unauthorized(self._side, "token", code=stored.refused_code or "")


def _refresh_in(token: dict[str, Any]) -> timedelta | None:
    life = token.get("expires_in")
    return timedelta(seconds=float(life) * _REFRESH_AT) if life else None


def _token(stored: Stored) -> Token:
    assert stored.token is not None
    return Token(stored.token["access_token"], stored.version, stored.token)
