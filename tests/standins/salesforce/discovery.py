"""What the org says about itself: versions, resources, limits, objects, and whose session this is."""

from starlette.requests import Request
from starlette.responses import Response

from tests.standins.salesforce.errors import ApiError
from tests.standins.salesforce.persons import record_types
from tests.standins.salesforce.web import answer, bearer, org_of, version_of

_NEWEST = ("66.0", "67.0", "68.0")
_SEASONS = ("Spring", "Summer", "Winter")
_RESOURCES = ("composite", "limits", "query", "queryAll", "sobjects")
_QUIET_LIMITS = {
    "DailyBulkApiBatches": (15_000, 15_000),
    "DailyBulkV2QueryJobs": (10_000, 10_000),
    "DailyBulkV2QueryFileStorageMB": (976_562, 976_562),
    "DailyAsyncApexExecutions": (250_000, 250_000),
    "DailyDeliveredPlatformEvents": (25_000, 24_990),
    "HourlyPublishedPlatformEvents": (250_000, 249_990),
    "DataStorageMB": (10_240, 9_000),
}


def base_url(request: Request) -> str:
    """This server, as the caller reached it."""
    return str(request.base_url).rstrip("/")


def identity_url(request: Request, user: str = "") -> str:
    # Salesforce names its login host here. Clients follow the address, so ours must not leave this machine.
    org = org_of(request)
    return f"{base_url(request)}/id/{org.org_id}/{user or org.user}"


async def versions(request: Request) -> Response:
    """GET /services/data, which asks for no session."""
    offered = org_of(request).settings.versions or _NEWEST
    return answer(
        [{"label": _label(number), "url": f"/services/data/v{number}", "version": number} for number in offered]
    )


def _label(number: str) -> str:
    """The release a version came with: three a year, and a winter is named for the year it ends in."""
    since_spring_26 = int(float(number)) - 66
    return f"{_SEASONS[since_spring_26 % 3]} '{26 + (since_spring_26 + 1) // 3:02d}"


async def resources(request: Request) -> Response:
    """GET /services/data/vNN.N."""
    root = f"/services/data/{version_of(request)}"
    return answer({"identity": identity_url(request), **{name: f"{root}/{name}" for name in _RESOURCES}})


async def limits(request: Request) -> Response:
    """GET limits."""
    org = org_of(request)
    allowed = org.settings.daily_calls
    used = {"DailyApiRequests": (allowed, max(0, allowed - org.calls_used)), **_QUIET_LIMITS}
    versions = org.settings.daily_versions
    used["ContentPublicationLimit"] = (
        versions,
        max(0, versions - (0 if org.settings.limits_stale else org.versions_made)),
    )
    used["FileStorageMB"] = 10_240, 0 if org.settings.file_storage_full else 10_000
    return answer({name: {"Max": most, "Remaining": left} for name, (most, left) in used.items()})


async def all_objects(request: Request) -> Response:
    """GET sobjects."""
    kinds = [table.kind for table in org_of(request).tables.values()]
    shown = [kind.describe(with_fields=False) for kind in kinds if not kind.hidden]
    return answer({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": shown})


async def describe(request: Request) -> Response:
    """GET sobjects/Kind/describe."""
    org = org_of(request)
    kind = org.table(request.path_params["kind"]).kind
    root = f"/services/data/{version_of(request)}/sobjects/{kind.name}"
    urls = {"sobject": root, "describe": f"{root}/describe", "rowTemplate": f"{root}/{{ID}}"}
    types = {"recordTypeInfos": record_types(org, kind.name)}
    return answer({**kind.describe(with_fields=True), **types, "urls": urls})


async def whoami(request: Request) -> Response:
    """GET /services/oauth2/userinfo and the identity URL."""
    org = org_of(request)
    if not org.greet(bearer(request.scope) or request.query_params.get("oauth_token", "")):
        raise ApiError("INVALID_SESSION_ID", "Session expired or invalid", status=401)
    person = org.tables["user"].rows[org.user]
    identity = identity_url(request)
    ids = {"user_id": org.user, "organization_id": org.org_id}
    names = {"preferred_username": person["Username"], "username": person["Username"], "name": person["Name"]}
    told = {"sub": identity, "id": identity, **ids, **names, "active": person["IsActive"]}
    return answer({**told, "urls": {"custom_domain": base_url(request)}})
