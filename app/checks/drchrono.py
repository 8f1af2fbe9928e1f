"""DrChrono's part of the check: the token, whose it is, what it may do, calls left, and every doctor's zone."""

from collections.abc import AsyncIterator, Mapping
from zoneinfo import ZoneInfo

import httpx

from app.checks.findings import Finding, good, red, warn
from app.errors import Unauthorized, Undecryptable, VendorError
from app.joining import connect_url
from app.runtime import Runtime, drchrono_budget
from app.store.connections import Connections, Stored
from app.sync.records import Side
from app.sync.retry import HOUR_IS_SPENT
from app.vendors.drchrono.abilities import NOT_SHARED, abilities, sees_whole_practice
from app.vendors.drchrono.client import DrChrono
from app.vendors.tokens import CUT_OFF

_FEW = 0.1


async def drchrono(run: Runtime) -> AsyncIterator[Finding]:
    """Look at everything of DrChrono, as far as it lets us."""
    address = connect_url(run.settings)
    if run.drchrono is None:
        fix = "set DRCHRONO_CLIENT_ID, DRCHRONO_CLIENT_SECRET and DRCHRONO_WEBHOOK_SECRETS"
        yield red("drchrono", "not connected: its settings are not there", fix)
        return
    try:
        stored = await Connections(run.database, run.vault, Side.DRCHRONO).read()
        if stored.token is None:
            yield red("drchrono token", "nobody has connected the practice", f"open {address}")
            return
        user = await run.drchrono.user()
    except Undecryptable:
        yield red("drchrono token", "cannot be read", "put the key that is missing back, at the end of ENCRYPTION_KEYS")
        return
    except Unauthorized as error:
        yield red("drchrono token", _refusal(error.cause), f"connect the practice anew at {address}")
        return
    except VendorError as error:
        if error.cause == HOUR_IS_SPENT:
            yield await _calls_left(run)
            return
        yield red(
            "drchrono token", f"DrChrono does not answer ({error.cause})", "check DRCHRONO_BASE_URL; try again later"
        )
        return
    yield good("drchrono token", "is accepted")
    if stored.practice not in (None, user.practice):
        says = f"{user.username} belongs to practice {user.practice}, this database to practice {stored.practice}"
        yield red("drchrono user", says, f"connect as a user of practice {stored.practice} at {address}")
    else:
        yield good("drchrono user", f"{user.username}, practice group {user.practice}")
    for finding in _allowed(stored, user.permissions, address):
        yield finding
    yield await _calls_left(run)
    async for finding in _zones(run.drchrono):
        yield finding


def _refusal(cause: str) -> str:
    if cause == CUT_OFF:
        return "a refresh was cut off, and DrChrono's answer was lost with it"
    if cause == "invalid_client":
        return "DrChrono refused the application: DRCHRONO_CLIENT_ID or DRCHRONO_CLIENT_SECRET is wrong"
    return f"DrChrono refused it ({cause})"


def _allowed(stored: Stored, permissions: Mapping[str, bool], address: str) -> list[Finding]:
    able = abilities(stored.token or {}, permissions)
    scopes = [scope for one in able for scope in one.missing_scopes]
    lacking = [name for one in able for name in one.missing_permissions]
    found = []
    if scopes:
        fix = f"connect anew at {address} and leave every box ticked on DrChrono's page"
        found.append(red("drchrono scopes", f"not granted: {', '.join(scopes)}", fix))
    elif "scope" in (stored.token or {}):
        found.append(good("drchrono scopes", "all that are needed"))
    else:
        found.append(good("drchrono scopes", "DrChrono did not say which it granted; we asked for all that are needed"))
    if lacking:
        fix = "have an administrator of the practice grant them to this user in DrChrono"
        found.append(red("drchrono permissions", f"the user lacks: {', '.join(lacking)}", fix))
    if not sees_whole_practice(permissions):
        fix = "grant share_patients in DrChrono, or be content with that doctor's patients"
        found.append(warn("drchrono permissions", NOT_SHARED, fix))
    elif not lacking:
        found.append(good("drchrono permissions", "all that are needed" if permissions else "DrChrono did not say"))
    return found


async def _calls_left(run: Runtime) -> Finding:
    limit = run.settings.drchrono_calls_per_hour
    left = await drchrono_budget(run.settings, run.database).left()
    says = f"{left} of {limit} left this hour, as we count them"
    if left == 0:
        return red("drchrono calls", says, "wait for the top of the hour; see what else uses this API application")
    if left < limit * _FEW:
        return warn("drchrono calls", says, "wait for the top of the hour; see what else uses this API application")
    return good("drchrono calls", says)


async def _zones(client: DrChrono) -> AsyncIterator[Finding]:
    try:
        doctors = await client.listed("/api/doctors")
    except VendorError as error:
        is_refused = error.status == httpx.codes.FORBIDDEN
        fix = "connect anew and leave the box of user:read ticked" if is_refused else "try again later"
        yield red("doctors' zones", f"the doctors cannot be listed ({error.cause})", fix)
        return
    unknown = [doctor for doctor in doctors if not _loads(doctor.get("timezone"))]
    for doctor in unknown:
        says = f"doctor {doctor.get('id')} has the time zone {str(doctor.get('timezone'))[:64]!r}, which does not load"
        yield red("doctors' zones", says, "correct the doctor's time zone in DrChrono's account settings")
    if not unknown:
        zones = sorted({str(doctor["timezone"]) for doctor in doctors})
        count = f"{len(doctors)} doctor{'' if len(doctors) == 1 else 's'}"
        yield good("doctors' zones", f"{count}, {', '.join(zones) or 'no zone'}: every zone loads")


def _loads(zone: object) -> bool:
    try:
        return isinstance(zone, str) and bool(ZoneInfo(zone))
    except (ValueError, OSError, LookupError):
        return False
