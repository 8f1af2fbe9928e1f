"""What the broker needs of whoever keeps its tokens; `app/store/connections.py` is the one that lasts."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol


class Stored(Protocol):
    """A token as the store holds it; see `app/store/connections.py`."""

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
    def is_expired(self) -> bool:
        """Whether the life the vendor stated is over."""

    @property
    def refused_for_s(self) -> float | None:
        """How long ago the vendor refused our credential; None when it did not."""

    @property
    def refused_code(self) -> str | None:
        """What it said."""

    @property
    def ask_again_in_s(self) -> float:
        """How long the vendor is to be left alone."""


class Lease(Protocol):
    """The right to ask for a token."""

    @property
    def follows_cut_off(self) -> bool:
        """Whether whoever had it before never came back."""


class TokenStore(Protocol):
    """What the broker needs of the store."""

    async def read(self) -> Stored:
        """Give what is stored now."""

    async def lease(self, span: timedelta) -> Any | None:
        """Take the right to ask, for a while; None when another process has it."""

    async def save(
        self, lease: Any, version: int, token: dict[str, Any], refresh_in: timedelta | None, lives: timedelta | None
    ) -> Stored:
        """Store the token that follows a version durably, and let the lease go."""

    async def refuse(self, lease: Any, code: str) -> None:
        """Remember a refusal and let the lease go; LeaseLost when a token has followed the refused one."""

    async def release(self, lease: Any, ask_again_in: timedelta | None = None, *, is_answered: bool = True) -> None:
        """Let the lease go without a token."""

    async def forget(self, lease: Any) -> None:
        """Forget the token and let the lease go."""


@dataclass(frozen=True, slots=True)
class _Kept:
    token: dict[str, Any] | None = None
    version: int = 0
    is_stale: bool = False
    is_expired: bool = False
    refused_for_s: float | None = None
    refused_code: str | None = None
    ask_again_in_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Free:
    follows_cut_off: bool = False


class Passing:
    """Keeps a token for as long as this object lives, for one user of it: what a check asks for is stored nowhere."""

    def __init__(self) -> None:
        self._kept = _Kept()

    async def read(self) -> Stored:
        """Give what is kept."""
        return self._kept

    async def lease(self, _span: timedelta) -> Lease | None:
        """Give the right to ask."""
        return _Free()

    async def save(
        self, _lease: Any, version: int, token: dict[str, Any], _refresh_in: timedelta | None, _lives: timedelta | None
    ) -> Stored:
        """Keep a token."""
        self._kept = _Kept(token, version + 1)
        return self._kept

    async def refuse(self, _lease: Any, code: str) -> None:
        """Remember a refusal."""
        self._kept = replace(self._kept, refused_for_s=0.0, refused_code=code)

    async def release(self, _lease: Any, ask_again_in: timedelta | None = None, *, is_answered: bool = True) -> None:
        """Keep nothing new."""

    async def forget(self, _lease: Any) -> None:
        """Forget the token."""
        self._kept = _Kept()
