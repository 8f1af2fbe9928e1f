"""Connect REST's door to what an external credential holds for a named principal; no answer shows it.

A PUT takes the place of what is there, and a POST makes the first. That either is refused the other way round is
inferred.
"""

from starlette.requests import Request
from starlette.responses import Response

from tests.standins.salesforce.errors import ApiError, not_found
from tests.standins.salesforce.org import INTEGRATION_USER
from tests.standins.salesforce.web import answer, bearer, body_of, org_of


async def set_credential(request: Request) -> Response:
    """POST or PUT /named-credentials/credential."""
    org, asked = org_of(request), await body_of(request)
    if org.user_of(bearer(request.scope)) == INTEGRATION_USER and not org.settings.integration_may_deploy:
        raise ApiError("INSUFFICIENT_ACCESS", "You don't have access to this resource", status=403)
    name, principal = str(asked.get("externalCredential")), str(asked.get("principalName"))
    if org.catalog.get("ExternalCredential", name) is None:
        raise not_found("The external credential does not exist")
    is_there = (name, principal) in org.principals
    if is_there == (request.method == "POST"):
        raise ApiError("INVALID_API_INPUT", "credentials exist" if is_there else "no credentials exist")
    values = asked.get("credentials") or {}
    org.principals[name, principal] = {key: one["value"] for key, one in values.items()}
    status = {"authenticationProtocol": "Custom", "authenticationStatus": "Configured"}
    shown = {key: {"encrypted": True} for key in values}
    about = {"externalCredential": name, "principalName": principal, "principalType": "NamedPrincipal"}
    return answer({**about, **status, "credentials": shown})
