"""The package for one org: what the mapping needs there, with this service's address and its user filled in."""

from collections.abc import Mapping

from app.vendors.salesforce.metadata.archive import Package, package_of
from app.vendors.salesforce.org_setup import OrgUser

PUBLIC_URL, OUTBOUND_URL = "CHRONOBRIDGE_PUBLIC_URL", "CHRONOBRIDGE_OUTBOUND_URL"
INTEGRATION_USER = "CHRONOBRIDGE_INTEGRATION_USER"


def package_for(source: Mapping[str, bytes], public_url: str, outbound_token: str, user: OrgUser) -> Package:
    """Give the package of a project's files for the org where the service is `user`.

    outbound_token  the end of the address that outbound messages go to
    """
    values = {
        PUBLIC_URL: public_url,
        OUTBOUND_URL: f"{public_url}/webhooks/salesforce/outbound/{outbound_token}",
        INTEGRATION_USER: user.username,
    }
    return package_of(source, values)
