"""Connections: connecting a DrChrono practice and leaving it.

Whose consent came, whether it may be ours, and what resumes by it; how each side is connected, and disconnecting.
The state that a browser is sent away with is signed, works once and not for long, and only for that browser.

A token pair is kept before anything else is done with it, and becomes ours only once DrChrono has said whose it is: a
pair of another practice never does, one of another user only after a person's word.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer
from ulid import ULID

from app.errors import Misconfigured, OtherInstance, SyncError, Unauthorized, Undecryptable, VendorError
from app.log import log
from app.ports import Act, Action, By, StoredToken
from app.runtime import Runtime
from app.store import audit, links, oauth_states
from app.store.oauth_states import OAuthStates
from app.store.vendor_tokens import VendorTokens
from app.sync.failure_causes import paused_by
from app.sync.model import Side
from app.timings import TOKEN_LEASE
from app.vendors.drchrono.client import DrChrono
from app.vendors.drchrono.permissions import Permission, permissions_of, sees_whole_practice

CALLBACK = "/connect/drchrono/callback"
CONNECT = "/connect/drchrono"
CONSENT_LIFE = oauth_states.LIFE
_LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Account:
    """Whose consent we hold. `doctor` is a name, empty where the user may not see it."""

    username: str
    practice: str
    doctor: str
    abilities: tuple[Permission, ...]
    sees_whole_practice: bool


@dataclass(frozen=True, slots=True)
class NowConnected:
    """The pair that waited is ours now."""

    account: Account


@dataclass(frozen=True, slots=True)
class WouldReplace:
    """The pair belongs to another user of the same practice; it waits for a word."""

    present: Account
    new: Account


@dataclass(frozen=True, slots=True)
class OtherPractice:
    """The pair belonged to another practice than this database; it is gone."""

    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Unidentified:
    """DrChrono would not say whose the pair is; it waits."""

    error: VendorError


@dataclass(frozen=True, slots=True)
class NothingWaits:
    """No pair waits: it was settled already, or took too long."""


Settlement = NowConnected | WouldReplace | OtherPractice | Unidentified | NothingWaits


def drchrono_of(runtime: Runtime) -> DrChrono:
    """Give the client of DrChrono.

    Raises  Misconfigured when its settings are not there
    """
    if runtime.drchrono is None:
        raise Misconfigured(
            "DRCHRONO_CLIENT_ID, DRCHRONO_CLIENT_SECRET and DRCHRONO_WEBHOOK_SECRETS are not set: expected the API "
            "application's values from DrChrono's API management page"
        )
    return runtime.drchrono


def connect_url(runtime: Runtime) -> str:
    """Give the address an operator opens to join the practice."""
    return f"{runtime.settings.public_url}{CONNECT}"


def redirect_uri(runtime: Runtime) -> str:
    """Give the address DrChrono sends a browser back to; it must be registered there letter by letter."""
    return f"{runtime.settings.public_url}{CALLBACK}"


async def was_connected(runtime: Runtime, side: Side) -> bool:
    """Say whether a side was connected before, and was disconnected.

    Raises  StoreUnavailable
    """
    try:
        stored = await VendorTokens(runtime.database, runtime.vault, side).read()
    except Undecryptable:
        return False
    return stored.token is None and stored.practice is not None


async def begin_consent(runtime: Runtime) -> tuple[str, str]:
    """Give the address of DrChrono's consent page, and what tells the browser that is sent there from any other.

    Raises  Misconfigured, StoreUnavailable
    """
    drchrono = drchrono_of(runtime)
    await runtime.must_be_ours()
    nonce, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    await OAuthStates(runtime.database, runtime.vault).expect(nonce, browser)
    return drchrono.grant.consent_url(redirect_uri(runtime), str(_signer(runtime).dumps(nonce))), browser


async def accept_state(runtime: Runtime, state: str, browser: str) -> bool:
    """Use up a state, and say whether this browser was sent away with it a short while ago; no state is used twice.

    Raises  StoreUnavailable
    """
    try:
        nonce = _signer(runtime).loads(state, max_age=int(CONSENT_LIFE.total_seconds()))
    except BadSignature:
        return False
    is_whole = isinstance(nonce, str) and bool(browser)
    return is_whole and await OAuthStates(runtime.database, runtime.vault).take(nonce, browser)


def _signer(runtime: Runtime) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        runtime.settings.signing_key, salt="consent", signer_kwargs={"digest_method": hashlib.sha256}
    )


async def exchange_code(runtime: Runtime, code: str) -> None:
    """Exchange a code, and keep the pair until it is settled.

    Raises  Unauthorized when the code is used or expired, or the application refused; Unavailable, OutcomeUnknown
    """
    drchrono, waiting = drchrono_of(runtime), OAuthStates(runtime.database, runtime.vault)
    await runtime.must_be_ours()
    pair = await drchrono.grant.exchange(code, redirect_uri(runtime))
    earlier = await waiting.held()
    await waiting.hold(pair)
    if earlier is not None:  # nobody will ever speak for it
        await _revoked(drchrono, earlier)


async def settle(runtime: Runtime, by: By, *, may_replace: bool) -> Settlement:
    """Ask whose the waiting pair is, and make it ours if it may be; everything that waited for it is due at once.

    may_replace  a person has said that another user may take the place of the present one
    Raises  Misconfigured, StoreUnavailable
    """
    settled = await _settled(runtime, may_replace=may_replace)
    if isinstance(settled, NowConnected):
        await audit.record(runtime.database, Act(by, Action.CONNECT, Side.DRCHRONO.value, 0))
    return settled


async def _settled(runtime: Runtime, *, may_replace: bool) -> Settlement:
    drchrono, waiting = drchrono_of(runtime), OAuthStates(runtime.database, runtime.vault)
    await runtime.must_be_ours()
    pair = await waiting.held()
    if pair is None:
        return NothingWaits()
    try:
        about = await _asked(drchrono, pair["access_token"])
    except VendorError as error:
        return Unidentified(error)
    stored = await VendorTokens(runtime.database, runtime.vault, Side.DRCHRONO).read()
    if stored.practice not in (None, about["practice"]):
        await waiting.drop()
        await _revoked(drchrono, pair)
        return OtherPractice(stored.practice or "", about["practice"])
    present = (stored.token or {}).get("account")
    if present is not None and present["user_id"] != about["user_id"] and not may_replace:
        return WouldReplace(_account(stored.token or {}, present), _account(pair, about))
    await drchrono.broker.replace({**pair, "account": about})
    log.warning("practice.joined", side=Side.DRCHRONO.value)
    await resume(runtime, Side.DRCHRONO)
    return NowConnected(_account(pair, about))


async def decline(runtime: Runtime) -> bool:
    """Leave everything as it is: the pair that waits is forgotten; False when DrChrono did not confirm its end."""
    await runtime.must_be_ours()
    waiting = OAuthStates(runtime.database, runtime.vault)
    pair = await waiting.held()
    await waiting.drop()
    return pair is None or await _revoked(drchrono_of(runtime), pair)


async def revoke(runtime: Runtime) -> bool:
    """Forget the practice's token pair and have DrChrono revoke it; False when DrChrono did not confirm that.

    A pair that waits for a word dies with it.

    Raises  Unavailable when a refresh under way does not end, and nothing was forgotten
    """
    drchrono = drchrono_of(runtime)
    await decline(runtime)
    try:
        await drchrono.broker.forget(drchrono.grant.revoke)
    except VendorError as error:
        if (await VendorTokens(runtime.database, runtime.vault, Side.DRCHRONO).read()).token is not None:
            raise
        log.warning("practice.left", side=Side.DRCHRONO.value, code=error.cause, advice="DrChrono did not confirm it")
        return False
    log.warning("practice.left", side=Side.DRCHRONO.value)
    return True


async def recover(runtime: Runtime) -> None:
    """Settle at the start what a refresh that was cut off has left: the stored pair still lives, or nobody has one.

    Somebody who asks right now is given the time to end.
    """
    if runtime.drchrono is None:
        return
    store = VendorTokens(runtime.database, runtime.vault, Side.DRCHRONO)
    for wait_s in (0.0, TOKEN_LEASE.total_seconds() + 1):
        await asyncio.sleep(wait_s)
        try:
            if (await store.read()).is_cut_off:
                await runtime.drchrono.broker.recover()
        except OtherInstance:
            return  # the first call once it is resumed finds the same
        except Unauthorized as error:
            advice = f"connect the practice anew at {connect_url(runtime)}"
            log.error("token.lost", side=Side.DRCHRONO.value, code=error.cause, advice=advice)
        except SyncError as error:
            log.warning("token.not_settled", side=Side.DRCHRONO.value, error=type(error).__name__)


async def resume(runtime: Runtime, side: Side) -> None:
    """Make due at once what waited because a side's credential was refused."""
    await links.release(runtime.database, paused_by(side))
    runtime.wakeup.notify(runtime.mappings)


async def consent_of(runtime: Runtime) -> str | None:
    """Give a name of the consent that is ours now, which a refresh leaves as it is; None where there is none.

    Raises  StoreUnavailable
    """
    return _consent(await VendorTokens(runtime.database, runtime.vault, Side.DRCHRONO).read())


async def await_consent(runtime: Runtime, known: str | None, patience_s: float) -> Account | None:
    """Give whose consent we hold, once a person has given another one than is known; None when nobody did in time.

    Raises  StoreUnavailable
    """
    store, deadline = VendorTokens(runtime.database, runtime.vault, Side.DRCHRONO), monotonic() + patience_s
    while monotonic() < deadline:
        stored = await store.read()
        if stored.refused_code is None and _consent(stored) not in (None, known):
            return account_of(stored.token)
        await asyncio.sleep(_LOOK_EVERY_S)
    return None


def _consent(stored: StoredToken) -> str | None:
    return ((stored.token or {}).get("account") or {}).get("consent")


def account_of(token: dict[str, Any] | None) -> Account | None:
    """Give whose stored token it is; None where there is none."""
    return _account(token, token["account"]) if token and token.get("account") else None


async def _asked(drchrono: DrChrono, token: str) -> dict[str, Any]:
    """Give what is kept of the user: plain JSON, sealed with the pair."""
    user = await drchrono.user(token)
    doctor = await drchrono.doctor(user.doctor_id, token) if user.doctor_id else None
    names = [str(doctor.get(name) or "") for name in ("first_name", "last_name", "suffix")] if doctor else []
    return {
        "consent": str(ULID()),  # tells two consents apart; a refresh leaves it
        "user_id": user.id,
        "username": user.username,
        "practice": user.practice,
        "doctor_id": user.doctor_id,
        "doctor": " ".join(name for name in names if name),
        "permissions": dict(user.permissions),
    }


def _account(pair: dict[str, Any], about: dict[str, Any]) -> Account:
    permissions = about["permissions"]
    return Account(
        about["username"],
        about["practice"],
        about["doctor"],
        permissions_of(pair, permissions),
        sees_whole_practice(permissions),
    )


async def _revoked(drchrono: DrChrono, pair: dict[str, Any]) -> bool:
    try:
        await drchrono.grant.revoke(pair)
    except VendorError as error:  # it was never ours; nobody holds it now
        log.warning("pair.not_revoked", side=Side.DRCHRONO.value, code=error.cause)
        return False
    return True


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """How one side is connected.

    account       whose consent we hold; None where it is none, or no key opens it
    scopes        what was granted
    expires_in_s  until the access token ends, which is renewed long before; None where nobody said
    """

    side: Side
    is_set_up: bool
    has_token: bool
    account: Account | None = None
    scopes: tuple[str, ...] = ()
    expires_in_s: float | None = None


async def connection_states(runtime: Runtime) -> Mapping[Side, ConnectionState]:
    """Give how both sides are connected, as stored; no vendor is asked.

    Raises  StoreUnavailable
    """
    found = {}
    for side in Side:
        is_set_up = side in runtime.settings.connected
        found[side] = ConnectionState(side, is_set_up, has_token=False)
        with suppress(Undecryptable):  # its state says which key is missing
            stored = await VendorTokens(runtime.database, runtime.vault, side).read()
            token = stored.token or {}
            found[side] = ConnectionState(
                side,
                is_set_up,
                stored.token is not None,
                account_of(stored.token),
                tuple(str(token.get("scope") or "").split()),
                stored.expires_in_s,
            )
    return found


async def disconnect(runtime: Runtime, by: By) -> bool:
    """Forget the practice's tokens and have DrChrono revoke them; False when DrChrono did not confirm that.

    Raises  Misconfigured; Unavailable when a refresh under way does not end, and nothing was forgotten
    """
    is_revoked = await revoke(runtime)
    await audit.record(runtime.database, Act(by, Action.DISCONNECT, Side.DRCHRONO.value, 0))
    return is_revoked
