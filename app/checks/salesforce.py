"""Salesforce's part of the check: a fresh token, the right org, the version, calls left, and the mapping's fields.

Nothing is stored: the token lives as long as the check.
"""

from collections.abc import AsyncIterator

from app.checks.findings import Finding, State, good, red, warn
from app.errors import Unauthorized, Unavailable, VendorError
from app.runtime import Runtime, salesforce_client
from app.sync.mapping import Table
from app.vendors import http
from app.vendors.daily import unlimited
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.describe import misfits
from app.vendors.token_store import Passing

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


async def salesforce(run: Runtime) -> AsyncIterator[Finding]:
    """Look at everything of Salesforce, as far as it lets us."""
    if run.salesforce is None:
        fix = "set SALESFORCE_LOGIN_URL, _CLIENT_ID, _ORG_ID and a way to sign in"
        yield red("salesforce", "not connected: its settings are not there", fix)
        return
    client = salesforce_client(run.settings, Passing(), http.trusted(run.settings.ca_bundle), unlimited())
    try:
        async for finding in _looked(run, client):
            yield finding
    finally:
        await client.close()


async def _looked(run: Runtime, client: Salesforce) -> AsyncIterator[Finding]:
    way = "client credentials" if run.settings.salesforce_client_secret else "JWT bearer"
    try:
        await client.broker.current()
    except Unauthorized as error:
        if error.code == "OTHER_ORG":
            yield good("salesforce token", f"given, by {way}")
            says = f"it is for another org than {run.settings.salesforce_org_id}"
            yield red("salesforce org", says, "correct SALESFORCE_ORG_ID, or SALESFORCE_LOGIN_URL and the app's id")
            return
        fix = _SIGN_IN.get(error.code, "check the app, its policies and the integration user in Salesforce's setup")
        yield red("salesforce token", f"refused, by {way} ({error.cause})", fix)
        return
    except VendorError as error:
        says = f"{run.settings.salesforce_login_url} does not answer ({error.cause})"
        yield red("salesforce token", says, "check SALESFORCE_LOGIN_URL and the network; try again later")
        return
    yield good("salesforce token", f"given, by {way}")
    yield good("salesforce org", f"{run.settings.salesforce_org_id}, as in the settings")
    for look in (_version, _calls_left):
        try:
            finding = await look(run, client)
        except VendorError as error:
            yield _no_answer(error)
            return
        yield finding
        if finding.state is State.RED:  # every further call would be refused for the same reason
            return
    for table in run.mappings.values():
        async for finding in _mapping(client, table):
            yield finding


def _no_answer(error: VendorError) -> Finding:
    if error.cause == "REQUEST_LIMIT_EXCEEDED":
        return red("salesforce calls", "none left for these 24 hours", _USED_UP)
    if isinstance(error, Unavailable):
        return red("salesforce api", f"the org does not answer ({error.cause})", "try again later")
    return red("salesforce api", f"the org refuses ({error.cause})", "give the integration user API access")


async def _version(run: Runtime, client: Salesforce) -> Finding:
    ours, offered = run.settings.salesforce_api_version, await client.versions()
    if ours in offered:
        return good("salesforce version", f"API {ours}")
    fix = f"set SALESFORCE_API_VERSION to one of them; {offered[-1] if offered else 'none'} is the newest"
    return red("salesforce version", f"the org does not offer API {ours}; it offers {', '.join(offered[-5:])}", fix)


async def _calls_left(_run: Runtime, client: Salesforce) -> Finding:
    most, left = await client.daily_calls()
    says = f"{left:,} of {most:,} left for these 24 hours"
    if left <= 0:
        return red("salesforce calls", says, _USED_UP)
    if left < most * _FEW:
        return warn("salesforce calls", says, _USED_UP)
    return good("salesforce calls", says)


async def _mapping(client: Salesforce, table: Table) -> AsyncIterator[Finding]:
    name = f"mapping: {table.kind.value}"
    try:
        described = await client.describe(table.object)
    except VendorError as error:
        yield red(name, f"{table.object} cannot be described ({error.cause})", "give the integration user API access")
        return
    if described is None:
        fix = "create it, or let the integration user see it: permission set, Object Settings"
        yield red(name, f"{table.object} is not there for the integration user", fix)
        return
    found = misfits(table, described)
    for one in found:
        yield (red if one.is_fatal else warn)(name, one.says, one.fix)
    if not any(one.is_fatal for one in found):
        yield good(name, f"{table.object}: {len(table.rows)} fields and {table.external_id} fit")
