"""What every handler needs: reading a JSON body as Salesforce does, and answering in its way."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from tests.standins.blobs import Blob
from tests.standins.salesforce.errors import ApiError
from tests.standins.salesforce.org import Org
from tests.standins.salesforce.org_views import OrgSeenBy
from tests.standins.salesforce.rules import Call

MEDIA_TYPE = "application/json;charset=UTF-8"
_OF_A_USER = ("/services/data/", "/services/oauth2/userinfo", "/id/")


def _plain(value: Any) -> Any:
    """A file's bytes are never in an answer of JSON: at the control door, what is known of them is."""
    if isinstance(value, Blob):
        return {"size": value.size, "md5": value.md5}
    raise TypeError(type(value).__name__)


_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=_plain).encode


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The body as JSON."""
    return Response(_ENCODE(body), status, headers, MEDIA_TYPE)


def org_of(request: Request) -> Org:
    """The org, as whoever calls its data sees it."""
    org: Org = request.app.state.org
    if not org.signed_in or not request.scope["path"].startswith(_OF_A_USER):
        return org
    user = org.user_of(bearer(request.scope))
    return org if user == org.user else OrgSeenBy(org, user)


def bearer(scope: Scope) -> str:
    """The token the call carries; empty without one. Salesforce takes `Bearer` and `OAuth` alike."""
    headers: list[Any] = scope["headers"]
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() in {"bearer", "oauth"} else ""
    return ""


def version_of(request: Request) -> str:
    """The version in the path, as `v67.0`."""
    return f"v{request.path_params['version']}"


async def body_of(request: Request) -> Any:
    """The body as JSON.

    Raises
        ApiError  JSON_PARSER_ERROR: it is none

    """
    try:
        return json.loads(await request.body())
    except ValueError as error:
        line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
        message = f"Unexpected character at [line:{line}, column:{column}]"
        raise ApiError("JSON_PARSER_ERROR", message) from None


def call_of(request: Request) -> Call:
    """Who writes, and whether alert-type duplicate rules are waved through."""
    rule = request.headers.get("sforce-duplicate-rule-header", "").replace(" ", "").lower()
    return Call(org_of(request), allow_save="allowsave=true" in rule.split(";"))


def note_call(request: Request, **more: Any) -> None:
    """Adds to the call's entry in the journal."""
    request.scope.get("call", {}).update(more)
