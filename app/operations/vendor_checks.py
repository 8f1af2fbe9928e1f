"""The vendors' part of the self-check.

DrChrono: the token, whose it is, what it may do, calls left, and every doctor's zone; and the application that staff
sign in by. Salesforce: signing in, the version, calls left, and the mapping against what the org describes.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from app.errors import (
    OTHER_INSTANCE,
    OtherInstance,
    StoreUnavailable,
    Unauthorized,
    Unavailable,
    Undecryptable,
    VendorError,
)
from app.operations import document_checks, staff_sign_in
from app.operations.connections import connect_url
from app.operations.health.model import CheckState, Finding, good, red, warn
from app.operations.mapping import ask_org
from app.ports import StoredToken
from app.runtime import Runtime, drchrono_budget, salesforce_client
from app.store import org_descriptions
from app.store.vendor_tokens import VendorTokens
from app.sync.failure_causes import HOUR_IS_SPENT
from app.sync.mappings.misfits import drchrono_misfits
from app.sync.mappings.table import Table
from app.sync.model import Side
from app.vendors import http
from app.vendors.drchrono.client import DrChrono
from app.vendors.drchrono.permissions import NOT_SHARED, permissions_of, sees_whole_practice
from app.vendors.rate_limit.salesforce import unlimited
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.mapping_check import status_misfits
from app.vendors.salesforce.org_description import ORGANIZATION, cut_down
from app.vendors.token_broker import CUT_OFF, NOT_TAKEN, UnstoredToken

_FEW_LEFT = 0.1
_WAIT = "nothing is to be done: it is tried again by itself; ask the vendor where it goes on for hours"


async def check_drchrono(runtime: Runtime) -> AsyncIterator[Finding]:
    """Look at everything of DrChrono, as far as it lets us."""
    address = connect_url(runtime)
    if runtime.drchrono is None:
        fix = "set DRCHRONO_CLIENT_ID, DRCHRONO_CLIENT_SECRET and DRCHRONO_WEBHOOK_SECRETS"
        yield red("drchrono", "not connected: its settings are not there", fix)
        return
    if await _is_anothers(runtime):
        yield _not_asked(Side.DRCHRONO)
        return
    try:
        stored = await VendorTokens(runtime.database, runtime.vault, Side.DRCHRONO).read()
        if stored.token is None:
            yield red("drchrono token", "nobody has connected the practice", f"open {address}")
            return
        user = await runtime.drchrono.user()
    except Undecryptable:
        yield red("drchrono token", "cannot be read", "put the key that is missing back, at the end of ENCRYPTION_KEYS")
        return
    except Unauthorized as error:
        fix = f"connect the practice anew at {address}"
        yield red("drchrono token", _refusal(error.cause), _WAIT if error.cause == NOT_TAKEN else fix)
        return
    except VendorError as error:
        if error.cause == HOUR_IS_SPENT:
            yield await _drchrono_calls_left(runtime)
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
    yield await _drchrono_calls_left(runtime)
    async for finding in _zones(runtime.drchrono):
        yield finding


async def check_staff_sign_in(runtime: Runtime) -> AsyncIterator[Finding]:
    """Look whether DrChrono knows the application that staff sign in by; nothing where there is none."""
    name = "drchrono sign-in"
    if runtime.staff_sign_in is None or await _is_anothers(runtime):
        return
    uri = staff_sign_in.redirect_uri(runtime)
    try:
        is_known = await runtime.staff_sign_in.is_known(uri)
    except VendorError as error:
        yield warn(name, f"DrChrono does not answer ({error.cause})", "try again later; secrets still sign in")
        return
    if is_known:
        yield good(name, f"the application is known; {uri} must be its redirect address")
        return
    fix = "correct DRCHRONO_SIGN_IN_CLIENT_ID or DRCHRONO_SIGN_IN_CLIENT_SECRET"
    yield red(name, "DrChrono refused the application that staff sign in by", fix)


async def _is_anothers(runtime: Runtime) -> bool:
    """Say whether the database belongs to another installation; what cannot be asked is not known to."""
    try:
        await runtime.must_be_ours()
    except StoreUnavailable:
        return False
    except OtherInstance:
        return True
    return False


def _not_asked(side: Side) -> Finding:
    says, _, fix = OTHER_INSTANCE.partition("; ")
    return red(side.value, f"not asked: {says}", fix)


def _refusal(cause: str) -> str:
    if cause == NOT_TAKEN:
        return f"DrChrono does not take the token that it gave ({cause})"
    if cause == CUT_OFF:
        return "a refresh was cut off, and DrChrono's answer was lost with it"
    if cause == "invalid_client":
        return "DrChrono refused the application: DRCHRONO_CLIENT_ID or DRCHRONO_CLIENT_SECRET is wrong"
    return f"DrChrono refused it ({cause})"


def _allowed(stored: StoredToken, permissions: Mapping[str, bool], address: str) -> list[Finding]:
    able = permissions_of(stored.token or {}, permissions)
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


async def _drchrono_calls_left(runtime: Runtime) -> Finding:
    limit = runtime.settings.drchrono_calls_per_hour
    left = await drchrono_budget(runtime.settings, runtime.database).left()
    says = f"{left} of {limit} left this hour, as we count them"
    if left == 0:
        return red("drchrono calls", says, "wait for the top of the hour; see what else uses this API application")
    if left < limit * _FEW_LEFT:
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


_FEW = 0.1


_USED_UP = "see in Salesforce's setup, System Overview, what uses them up"


_SIGN_IN = {
    "invalid_client_id": "SALESFORCE_CLIENT_ID is not the consumer key of an app of this org",
    "invalid_client": "SALESFORCE_CLIENT_SECRET is not the app's consumer secret",
    "invalid_grant": "pre-authorize the user in the app's policies; check that its certificate is that of the key",
    "inactive_user": "activate the integration user in Salesforce",
    "invalid_app_access": "let the integration user use the app: in the app's policies, by profile or permission set",
    "INSTANCE_NOT_ALLOWED": "set SALESFORCE_LOGIN_URL to the My Domain address of your org",
}


async def check_salesforce(runtime: Runtime) -> AsyncIterator[Finding]:
    """Look at everything of Salesforce, as far as it lets us."""
    if runtime.salesforce is None:
        fix = "set SALESFORCE_LOGIN_URL, _CLIENT_ID, _ORG_ID and a way to sign in"
        yield red("salesforce", "not connected: its settings are not there", fix)
        return
    if await _is_anothers(runtime):
        yield _not_asked(Side.SALESFORCE)
        return
    client = salesforce_client(runtime.settings, UnstoredToken(), http.trusted(runtime.settings.ca_bundle), unlimited())
    try:
        async for finding in _checked_org(runtime, client):
            yield finding
    finally:
        await client.close()


async def _checked_org(runtime: Runtime, client: Salesforce) -> AsyncIterator[Finding]:
    way = "client credentials" if runtime.settings.salesforce_client_secret else "JWT bearer"
    try:
        await client.broker.current()
    except Unauthorized as error:
        if error.code == "OTHER_ORG":
            yield good("salesforce token", f"given, by {way}")
            says = f"it is for another org than {runtime.settings.salesforce_org_id}"
            yield red("salesforce org", says, "correct SALESFORCE_ORG_ID, or SALESFORCE_LOGIN_URL and the app's id")
            return
        fix = _SIGN_IN.get(error.code, "check the app, its policies and the integration user in Salesforce's setup")
        yield red("salesforce token", f"refused, by {way} ({error.cause})", fix)
        return
    except VendorError as error:
        says = f"{runtime.settings.salesforce_login_url} does not answer ({error.cause})"
        yield red("salesforce token", says, "check SALESFORCE_LOGIN_URL and the network; try again later")
        return
    yield good("salesforce token", f"given, by {way}")
    yield good("salesforce org", f"{runtime.settings.salesforce_org_id}, as in the settings")
    for look in (_version, _salesforce_calls_left):
        try:
            finding = await look(runtime, client)
        except VendorError as error:
            yield _no_answer(error)
            return
        yield finding
        if finding.state is CheckState.RED:  # every further call would be refused for the same reason
            return
    for check in (document_checks.check_files, document_checks.check_file_rights):
        async for finding in check(runtime, client):
            yield finding
    async for finding in _checked_mappings(runtime, client):
        yield finding


async def _checked_mappings(runtime: Runtime, client: Salesforce) -> AsyncIterator[Finding]:
    described: dict[str, dict[str, Any]] = {}
    for table in runtime.mappings.values():
        async for finding in _mapping(runtime, client, table, described):
            yield finding
    async for finding in _org(client, described):
        yield finding
    if {table.object for table in runtime.mappings.values()} <= described.keys():
        with suppress(StoreUnavailable, OtherInstance):  # what the workers go by is what was just said
            await org_descriptions.keep(runtime.database, described)


def _no_answer(error: VendorError) -> Finding:
    if error.cause == "REQUEST_LIMIT_EXCEEDED":
        return red("salesforce calls", "none left for these 24 hours", _USED_UP)
    if isinstance(error, Unavailable):
        return red("salesforce api", f"the org does not answer ({error.cause})", "try again later")
    return red("salesforce api", f"the org refuses ({error.cause})", "give the integration user API access")


async def _version(runtime: Runtime, client: Salesforce) -> Finding:
    ours, offered = runtime.settings.salesforce_api_version, await client.versions()
    if ours in offered:
        return good("salesforce version", f"API {ours}")
    fix = f"set SALESFORCE_API_VERSION to one of them; {offered[-1] if offered else 'none'} is the newest"
    return red("salesforce version", f"the org does not offer API {ours}; it offers {', '.join(offered[-5:])}", fix)


async def _salesforce_calls_left(_run: Runtime, client: Salesforce) -> Finding:
    most, left = await client.daily_calls()
    says = f"{left:,} of {most:,} left for these 24 hours"
    if left <= 0:
        return red("salesforce calls", says, _USED_UP)
    if left < most * _FEW:
        return warn("salesforce calls", says, _USED_UP)
    return good("salesforce calls", says)


async def _mapping(
    runtime: Runtime, client: Salesforce, table: Table, described: dict[str, dict[str, Any]]
) -> AsyncIterator[Finding]:
    """Compare a mapping with its object; what is read of the object's description is added to those `described`."""
    name = f"mapping: {table.kind.value}"
    try:
        said = await ask_org(client, table)
    except VendorError as error:
        yield red(name, f"{table.object} cannot be described ({error.cause})", "give the integration user API access")
        return
    if said.described is not None:
        described[table.object] = cut_down(table, said.described)
    found = [*said.misfits, *drchrono_misfits(table)]
    if runtime.settings.salesforce_status_fields and said.described is not None:
        found += status_misfits(table, said.described)
    for one in found:
        yield (red if one.is_fatal else warn)(name, one.says, one.fix)
    if not any(one.is_fatal for one in found):
        yield good(name, f"{table.object}: {len(table.rows)} fields and {table.external_id} fit")


_MOST_RULES = 200


async def _org(client: Salesforce, described: dict[str, dict[str, Any]]) -> AsyncIterator[Finding]:
    """Say what the org is like, and which duplicate rules may refuse what we create; nothing where it does not say."""
    try:
        said = await client.organization()
        described[ORGANIZATION] = dict(said)
    except VendorError:
        said = {}
    if said:
        yield good("salesforce organization", ", ".join(said.values()))
    try:
        rules = await client.select(
            "DuplicateRule", ["DeveloperName", "SobjectType"], "IsActive = true", ["DeveloperName"], _MOST_RULES
        )
    except VendorError:
        return
    ours = [
        f"{one.get('SobjectType')}: {one.get('DeveloperName')}" for one in rules if one.get("SobjectType") in described
    ]
    if ours:
        says = f"active ({', '.join(ours)}): one that blocks refuses a record that is like another"
        yield good("salesforce duplicate rules", says)
