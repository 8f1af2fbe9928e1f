"""Putting the package into the org, and what has to be done beside it: one deployment, whole or not at all.

A deployment goes on in the org once it was begun, whoever watches it. Where its answer was lost it is begun again,
which changes nothing twice. What the org refuses is told by component, with what to do about it.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from app.errors import OutcomeUnknown, Rejected, SyncError, Unavailable, Unreadable
from app.operations.health.model import Finding, good, red, warn
from app.vendors.salesforce import org_setup
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.metadata import client as metadata
from app.vendors.salesforce.metadata.archive import Package
from app.vendors.salesforce.metadata.deployment import Deployment, DeployOptions, TestLevel
from app.vendors.salesforce.org_setup import OrgKind, OrgUser

Watch = Callable[[Deployment | None], None]  # None: the org does not answer now

_SEND_AGAIN = 3
_LOOKS_S = (1.0, 1.0, 2.0, 3.0, 5.0)  # the waits between looks; the last is repeated
_AWAY_S = 600.0  # of an org that does not answer while its deployment is looked at
_CANCEL_S = 30.0
_NO_RIGHT = "INSUFFICIENT_ACCESS"
_CREDENTIAL, _PRINCIPAL, _TOKEN = "Chronobridge", "Service", "Token"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things are waited for."""

    looks_s: tuple[float, ...] = _LOOKS_S
    away_s: float = _AWAY_S
    cancel_s: float = _CANCEL_S


PATIENCE = Patience()


def may_not_deploy(error: SyncError) -> bool:
    """Say whether the org refuses the user, who is none that may change how it is made."""
    return isinstance(error, Rejected) and error.code.startswith(_NO_RIGHT)


def options_of(package: Package, kind: OrgKind, level: TestLevel | None, *, check_only: bool) -> DeployOptions:
    """Give how a package is deployed: a production org runs our own tests, where nobody says which."""
    level = level or (TestLevel.SPECIFIED if kind.is_production and package.tests else None)
    return DeployOptions(check_only, level, package.tests if level is TestLevel.SPECIFIED else ())


async def begin(org: Salesforce, archive: bytes, options: DeployOptions, patience: Patience = PATIENCE) -> str:
    """Begin a deployment, and give its id.

    Raises  Rejected, Unauthorized, Unreadable; Unavailable, OutcomeUnknown when it stays so
    """
    for again in range(_SEND_AGAIN):
        try:
            return await metadata.deploy(org, archive, options)
        except (OutcomeUnknown, Unavailable):
            if again == _SEND_AGAIN - 1:
                raise
            await asyncio.sleep(patience.looks_s[-1])
    raise AssertionError


async def follow(org: Salesforce, id_: str, watch: Watch, patience: Patience = PATIENCE) -> Deployment:
    """Watch a deployment to its end, and give how it ended, with details; an org that is away is waited for.

    Raises  Rejected, Unauthorized; Unavailable, Unreadable when it stays so
    """
    heard_at, looks = monotonic(), 0
    while True:
        try:
            found = await metadata.deployment(org, id_, with_details=False)
            watch(found)
            if found.is_done:
                return await metadata.deployment(org, id_, with_details=True)
            heard_at = monotonic()
        except (Unavailable, Unreadable):  # the edge speaks, or the org takes its time
            if monotonic() - heard_at > patience.away_s:
                raise
            watch(None)
        await asyncio.sleep(patience.looks_s[min(looks, len(patience.looks_s) - 1)])
        looks += 1


async def call_off(org: Salesforce, id_: str, watch: Watch, patience: Patience = PATIENCE) -> Deployment | None:
    """Have a deployment canceled, and give how it ended; None where it has not ended after a while."""
    try:
        async with asyncio.timeout(patience.cancel_s):
            with suppress(Rejected, OutcomeUnknown):  # it is over already, or whether it will be its status says
                await metadata.cancel(org, id_)
            return await follow(org, id_, watch, patience)
    except (TimeoutError, SyncError):
        return None


async def finish(
    org: Salesforce, package: Package, permission_set: str, user: OrgUser, event_token: str | None, *, signed: bool
) -> list[Finding]:
    """Do what no deployment does, and say what is left to people: permission set, credential, flows that are idle.

    event_token  what events of the org are sent with; None: the service takes none
    signed       the service takes no event without a signature
    Raises       Unavailable, Unauthorized
    """
    found = [await _assigned(org, permission_set, user)]
    if package.members.get("ExternalCredential"):
        found.append(await _credential(org, None if signed else event_token, signed=signed))
    return [*found, *await _flows(org, package.members.get("Flow", ()))]


async def _credential(org: Salesforce, token: str | None, *, signed: bool) -> Finding:
    if signed:
        return warn("events", "the package's are not signed, so the service refuses them", _UNSIGNED)
    if token is None:
        return warn("events", "the service takes none", "set SALESFORCE_EVENT_TOKENS, and deploy again")
    try:
        await org_setup.set_credential(org, _CREDENTIAL, _PRINCIPAL, {_TOKEN: token})
    except (Rejected, OutcomeUnknown) as error:
        by_hand = f"{_CREDENTIAL}, {_PRINCIPAL}: type the value of SALESFORCE_EVENT_TOKENS as {_TOKEN}"
        fix = f"in Setup, Named Credentials, External Credentials, {by_hand}"
        return warn("events", f"their token could not be set ({error.cause})", fix)
    return good("events", "their token is set")


async def _assigned(org: Salesforce, permission_set: str, user: OrgUser) -> Finding:
    name = f"permission set {permission_set}"
    by_hand = f"assign it in Setup, Users, {user.username}, Permission Set Assignments"
    try:
        is_new = await org_setup.assign(org, permission_set, user)
    except (Rejected, OutcomeUnknown) as error:
        if error.code == "NO_PERMISSION_SET":
            return red(name, "is not in the org", "deploy the whole package")
        if may_not_deploy(error):
            return red(name, f"cannot be assigned to {user.username} by this user", by_hand)
        return red(name, f"cannot be assigned to {user.username} ({error.cause})", _FIXES.get(error.code, by_hand))
    return good(name, f"{'assigned' if is_new else 'is assigned'} to {user.username}")


_FIXES = {
    "FIELD_INTEGRITY_EXCEPTION": "give the user the permission set license Salesforce API Integration; run it again",
    "LICENSE_LIMIT_EXCEEDED": "free a license of that kind in Setup, Company Information; run it again",
}


async def _flows(org: Salesforce, names: Sequence[str]) -> list[Finding]:
    if not names:
        return []
    idle = await org_setup.inactive_flows(org, names)
    if idle is None:
        return [warn("flows", "the org does not say whether they are active", _SEE_FLOWS)]
    if idle:
        says = f"not active, so nothing is told of edits: {', '.join(idle)}"
        return [red("flows", says, f"{_SEE_FLOWS}; {_AS_ACTIVE} would have left them active")]
    return [good("flows", f"{len(names)} active")]


_UNSIGNED = "leave SALESFORCE_EVENT_SIGNING_KEYS out; deletions are found by reconciliation otherwise"
_SEE_FLOWS = "open each in Setup, Flows, and press Activate"
_AS_ACTIVE = "Setup, Process Automation Settings, Deploy processes and flows as active"
