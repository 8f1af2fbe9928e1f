"""What the org says about itself: versions, resources, limits, objects, and whose session this is."""

from starlette.requests import Request
from starlette.responses import Response

from tests.standins.salesforce.errors import ApiError
from tests.standins.salesforce.gate import bearer
from tests.standins.salesforce.org import INTEGRATION_USER
from tests.standins.salesforce.web import answer, org_of, version_of

_VERSIONS = (("Spring '26", "66.0"), ("Summer '26", "67.0"), ("Winter '27", "68.0"))
_RESOURCES = ("composite", "limits", "query", "queryAll", "sobjects")
_QUIET_LIMITS = {
    "DailyBulkApiBatches": (15_000, 15_000),
    "DailyBulkV2QueryJobs": (10_000, 10_000),
    "DailyBulkV2QueryFileStorageMB": (976_562, 976_562),
    "DailyAsyncApexExecutions": (250_000, 250_000),
    "DailyDeliveredPlatformEvents": (25_000, 24_990),
    "HourlyPublishedPlatformEvents": (250_000, 249_990),
    "DataStorageMB": (10_240, 9_000),
    "FileStorageMB": (10_240, 10_000),
}


def base_url(request: Request) -> str:
    """This server, as the caller reached it."""
    return str(request.base_url).rstrip("/")


async def versions(request: Request) -> Response:
    """GET /services/data, which asks for no session."""
    return answer(
        [{"label": label, "url": f"/services/data/v{number}", "version": number} for label, number in _VERSIONS]
    )


async def resources(request: Request) -> Response:
    """GET /services/data/vNN.N."""
    root, org = f"/services/data/{version_of(request)}", org_of(request)
    identity = f"{base_url(request)}/id/{org.credentials.org_id}/{INTEGRATION_USER}"
    return answer({"identity": identity, **{name: f"{root}/{name}" for name in _RESOURCES}})


async def limits(request: Request) -> Response:
    """GET limits."""
    org = org_of(request)
    allowed = org.settings.daily_calls
    used = {"DailyApiRequests": (allowed, max(0, allowed - org.calls_used)), **_QUIET_LIMITS}
    return answer({name: {"Max": most, "Remaining": left} for name, (most, left) in used.items()})


async def all_objects(request: Request) -> Response:
    """GET sobjects."""
    kinds = [table.kind.describe(with_fields=False) for table in org_of(request).tables.values()]
    return answer({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": kinds})


async def describe(request: Request) -> Response:
    """GET sobjects/Kind/describe."""
    kind = org_of(request).table(request.path_params["kind"]).kind
    root = f"/services/data/{version_of(request)}/sobjects/{kind.name}"
    urls = {"sobject": root, "describe": f"{root}/describe", "rowTemplate": f"{root}/{{ID}}"}
    return answer({**kind.describe(with_fields=True), "urls": urls})


async def whoami(request: Request) -> Response:
    """GET /services/oauth2/userinfo and the identity URL."""
    org = org_of(request)
    if not org.greet(bearer(request.scope) or request.query_params.get("oauth_token", "")):
        raise ApiError("INVALID_SESSION_ID", "Session expired or invalid", status=401)
    user = org.credentials.username
    identity = f"{base_url(request)}/id/{org.credentials.org_id}/{INTEGRATION_USER}"
    ids = {"user_id": INTEGRATION_USER, "organization_id": org.credentials.org_id}
    names = {"preferred_username": user, "username": user, "name": "Integration User", "active": True}
    return answer({"sub": identity, "id": identity, **ids, **names, "urls": {"custom_domain": base_url(request)}})
