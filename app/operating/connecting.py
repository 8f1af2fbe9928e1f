"""How each side is connected, trying it out, and disconnecting."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from app import joining
from app.checks import drchrono, salesforce
from app.checks.findings import Finding
from app.errors import Undecryptable
from app.joining import Account
from app.runtime import Runtime
from app.store import audit
from app.store.audit import Act, Action, By
from app.store.connections import Connections
from app.sync.records import Side

_CHECKS = {Side.DRCHRONO: drchrono.drchrono, Side.SALESFORCE: salesforce.salesforce}


@dataclass(frozen=True, slots=True)
class Connected:
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


async def connected(run: Runtime) -> Mapping[Side, Connected]:
    """Give how both sides are connected, as stored; no vendor is asked.

    Raises  StoreUnavailable
    """
    found = {}
    for side in Side:
        is_set_up = side in run.settings.connected
        found[side] = Connected(side, is_set_up, has_token=False)
        with suppress(Undecryptable):  # its state says which key is missing
            stored = await Connections(run.database, run.vault, side).read()
            token = stored.token or {}
            found[side] = Connected(
                side,
                is_set_up,
                stored.token is not None,
                joining.account_of(stored.token),
                tuple(str(token.get("scope") or "").split()),
                stored.expires_in_s,
            )
    return found


async def tried(run: Runtime, side: Side) -> list[Finding]:
    """Try a side out, as `chronobridge check` does; nothing is changed by it, and it costs a few calls.

    Raises  StoreUnavailable
    """
    return [finding async for finding in _CHECKS[side](run)]


async def disconnect(run: Runtime, by: By) -> bool:
    """Forget the practice's tokens and have DrChrono revoke them; False when DrChrono did not confirm that.

    Raises  Misconfigured; Unavailable when a refresh under way does not end, and nothing was forgotten
    """
    is_revoked = await joining.leave(run)
    await audit.done(run.database, Act(by, Action.DISCONNECT, Side.DRCHRONO.value, 0))
    return is_revoked
