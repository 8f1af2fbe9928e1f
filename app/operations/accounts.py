"""Accounts: who may sign in by a secret, under which name and as what.

OPERATORS and VIEWERS name people, OPERATOR_TOKEN and VIEWER_TOKEN are scripts by the names operator and viewer. A token
is never kept: only a print of it under the session key. Every secret is compared, in constant time. Where the settings
hold a hash instead, checking a token against it is slow on purpose: that is done in a thread, one at a time in a
process, and what came of it is remembered by the token's print.
"""

import asyncio
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from pydantic import SecretStr

_MOST_WRONG, _MOST_WAITING = 10_000, 8
_HASH_KIB, _HASH_PASSES = 19_456, 2  # what OWASP asks for at least (Password Storage Cheat Sheet)


class Role(StrEnum):
    """Who asks."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """Somebody who may sign in. `print`: tells this account, with this role and secret, from every other one."""

    role: Role
    name: str
    print: str = field(repr=False)


class TooManyChecks(Exception):  # noqa: N818 - named for what happened
    """Tokens that nobody has shown before are waiting to be checked; ask again in a moment."""


def hash_secret(secret: str) -> str:
    """Give the hash of a secret that OPERATORS and VIEWERS take in its place."""
    slow = Argon2id(salt=os.urandom(16), length=32, iterations=_HASH_PASSES, lanes=1, memory_cost=_HASH_KIB)
    return str(slow.derive_phc_encoded(secret.encode()))


class Accounts:
    """The accounts of the settings."""

    def __init__(
        self,
        key: bytes,
        operators: tuple[SecretStr, ...],
        viewers: tuple[SecretStr, ...],
        operator_token: SecretStr | None,
        viewer_token: SecretStr | None,
    ) -> None:
        self._key = key
        self._by_secret: dict[str, NamedAccount] = {}  # by the print of its secret
        self._by_hash: dict[str, NamedAccount] = {}
        for role, name, proof in _given(operators, viewers, operator_token, viewer_token):
            account = NamedAccount(role, name, self.print_of("account", role.value, name, proof))
            if proof.startswith("$"):
                self._by_hash[proof] = account
            else:
                self._by_secret[self.print_of("token", proof)] = account
        self._checked: OrderedDict[tuple[str, str], NamedAccount | None] = OrderedDict()
        self._turn, self._waiting = asyncio.Semaphore(1), 0

    @property
    def known(self) -> list[NamedAccount]:
        """Every account."""
        return [*self._by_secret.values(), *self._by_hash.values()]

    def print_of(self, *parts: str) -> str:
        """Give a keyed print of texts, which shows nothing of them."""
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

    def name_of(self, name: str) -> str | None:
        """Give a name as its account has it; None where there is none, so that a guess is not repeated anywhere."""
        return next((one.name for one in self.known if one.name.lower() == name.strip().lower()), None)

    def of_print(self, print_: str) -> NamedAccount | None:
        """Give the account that a session was begun with, as long as its name, role and secret are the same."""
        found = None
        for one in self.known:
            if hmac.compare_digest(print_, one.print):
                found = one
        return found

    async def of_token(self, token: str, name: str = "") -> NamedAccount | None:
        """Give whose token it is; None for a stranger. A bearer may send `name:secret` as the settings have it.

        name    the account alone that counts; empty: any
        Raises  TooManyChecks
        """
        if not name and (given := self.name_of(token.partition(":")[0])) is not None:
            found = await self._of_token(token.partition(":")[2], given)
            if found is not None:
                return found
        return await self._of_token(token, name)

    async def _of_token(self, token: str, name: str) -> NamedAccount | None:
        shown, found = self.print_of("token", token), None
        for known, account in self._by_secret.items():
            if hmac.compare_digest(shown, known):
                found = account
        if found is not None:
            return found if _is_named(found, name) else None
        hashed = {hash_: one for hash_, one in self._by_hash.items() if _is_named(one, name)}
        return await self._checked_slowly(shown, token, name, hashed) if hashed else None

    async def _checked_slowly(
        self, shown: str, token: str, name: str, hashed: dict[str, NamedAccount]
    ) -> NamedAccount | None:
        key = (shown, name.strip().lower())
        if key in self._checked:
            return self._checked[key]
        if self._waiting >= _MOST_WAITING:
            raise TooManyChecks
        self._waiting += 1
        try:
            async with self._turn:
                if key not in self._checked:
                    self._checked[key] = await asyncio.to_thread(_matching, token, hashed)
                    self._forget_some()
                return self._checked[key]
        finally:
            self._waiting -= 1

    def _forget_some(self) -> None:
        """Forget what was wrong first, so that guesses cannot fill the memory."""
        while len(self._checked) > _MOST_WRONG:
            oldest = next((key for key, account in self._checked.items() if account is None), None)
            if oldest is None:
                return
            del self._checked[oldest]


def _is_named(account: NamedAccount, name: str) -> bool:
    return not name.strip() or account.name.lower() == name.strip().lower()


def _matching(token: str, hashed: dict[str, NamedAccount]) -> NamedAccount | None:
    """Give the account whose hash a token fits; slow."""
    for hash_, account in hashed.items():
        try:
            Argon2id.verify_phc_encoded(token.encode("utf-8", "surrogatepass"), hash_)
        except InvalidKey:
            continue
        return account
    return None


def _given(
    operators: tuple[SecretStr, ...],
    viewers: tuple[SecretStr, ...],
    operator_token: SecretStr | None,
    viewer_token: SecretStr | None,
) -> Iterator[tuple[Role, str, str]]:
    for role, accounts in ((Role.OPERATOR, operators), (Role.VIEWER, viewers)):
        for one in accounts:
            name, _, proof = one.get_secret_value().partition(":")
            yield role, name, proof
    for role, token in ((Role.OPERATOR, operator_token), (Role.VIEWER, viewer_token)):
        if token is not None:
            yield role, role.value, token.get_secret_value()
