"""What the org holds of the package."""

import asyncio
from time import monotonic

from app.errors import Unavailable, Unreadable
from app.operations.deploy import PATIENCE, Patience
from app.sync.model import Side
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.metadata import client as metadata
from app.vendors.salesforce.metadata.archive import Package
from app.vendors.salesforce.metadata.diff import unzipped

_NO_PACKAGE = ("NO_ZIP", "ZIP_TOO_LARGE")  # what came is whole, and asked again it is the same


async def retrieve(org: Salesforce, package: Package, patience: Patience = PATIENCE) -> dict[str, bytes]:
    """Give the files of the package's components as the org has them.

    Raises  Unavailable, Unauthorized, Rejected, Unreadable
    """
    id_ = await metadata.begin_retrieve(org, package.members, package.version)
    heard_at, looks = monotonic(), 0
    while True:
        try:
            if (content := await metadata.retrieved(org, id_)) is not None:
                return unzipped(content)
        except (Unavailable, Unreadable) as error:
            if error.code in _NO_PACKAGE:
                raise
            if monotonic() - heard_at > patience.away_s:
                raise
        if monotonic() - heard_at > patience.away_s:
            raise Unavailable(Side.SALESFORCE.value, "POST Soap checkRetrieveStatus", code="RETRIEVE_TAKES_TOO_LONG")
        await asyncio.sleep(patience.looks_s[min(looks, len(patience.looks_s) - 1)])
        looks += 1
