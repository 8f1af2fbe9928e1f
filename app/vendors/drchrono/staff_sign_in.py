"""Staff sign-in: whom DrChrono says a browser belongs to, asked by an API application of its own.

It is another application than the practice's, because a new consent of a user may end that user's tokens at the same
application. What this one is granted serves for two or three calls and is revoked after them, whatever they came to;
it is stored nowhere.

DrChrono documents of a doctor alone whether the account is suspended, so a doctor is looked at; what a user's record
says of it beyond the documented counts too.

Source  DrChrono API reference, Authorization, users, doctors; its support article on errors (read 2026-11)
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import Rejected, SyncError, Unauthorized, Unavailable
from app.log import log
from app.sync.model import Side
from app.vendors.drchrono.client import DrChrono
from app.vendors.drchrono.wire import User, is_true

SCOPES = ("user:read",)
_SIDE = Side.DRCHRONO.value
_CALL = "GET /api/users/current"
_DEADLINE_S = 20.0  # for all of DrChrono's answers to one code, however slowly they trickle in
_REVOKE_S = 5.0


@dataclass(frozen=True, slots=True)
class StaffMember:
    """Who signed in at DrChrono. `is_active`: None of a doctor whose account could not be looked at."""

    user: User
    is_active: bool | None


class StaffSignIn:
    """The second API application."""

    def __init__(self, client: DrChrono) -> None:
        self._client = client
        self.deadline_s = _DEADLINE_S

    def address(self, redirect_uri: str, state: str) -> str:
        """Give the address at which a member of staff signs in and consents."""
        return self._client.grant.consent_url(redirect_uri, state, SCOPES)

    async def member(self, redirect_uri: str, code: str) -> StaffMember:
        """Give who came back with a code; what they granted is revoked.

        Raises  Unavailable, OutcomeUnknown; Unauthorized when the code or the token does not count
        """
        pair: Mapping[str, Any] | None = None
        try:
            async with asyncio.timeout(self.deadline_s):
                pair = await self._client.grant.exchange(code, redirect_uri)
                return await self._asked(pair["access_token"])
        except TimeoutError:
            raise Unavailable(_SIDE, _CALL, code="Timeout") from None
        finally:
            if pair is not None:
                await self._revoke(pair)

    async def is_known(self, redirect_uri: str) -> bool:
        """Say whether DrChrono knows the application by its id and secret: it is asked with a code of nobody's.

        Raises  Unavailable, OutcomeUnknown
        """
        try:
            pair = await self._client.grant.exchange("none", redirect_uri)
        except Unauthorized as error:
            return error.code != "invalid_client"
        await self._revoke(pair)
        return True

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.close()

    async def _asked(self, token: str) -> StaffMember:
        try:
            user = await self._client.user(token)
        except Rejected as error:  # no permission is needed to ask it
            raise Unauthorized(_SIDE, _CALL, status=error.status) from None
        if user.is_suspended or not user.is_doctor:
            return StaffMember(user, not user.is_suspended)
        doctor = await self._client.doctor(user.doctor_id, token) if user.doctor_id else None
        return StaffMember(user, None if doctor is None else not is_true(doctor.get("is_account_suspended")))

    async def _revoke(self, pair: Mapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(_REVOKE_S):
                await self._client.grant.revoke(pair)
        except (SyncError, TimeoutError) as error:  # it was never stored; nobody holds it now
            log.warning("pair.not_revoked", side=_SIDE, code=getattr(error, "cause", type(error).__name__))
