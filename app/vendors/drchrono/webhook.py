"""Is this delivery genuine, and what answers the verification? Pure.

`X-drchrono-signature` is the webhook's secret token itself, verbatim; not an HMAC of the body. It proves that the
sender knows the secret, not that the body is whole, so what a body says is a hint.

Source  DrChrono API reference, Webhooks (read 2026-08): verification, headers, security
"""

import hashlib
import hmac
from collections.abc import Sequence

SIGNATURE, EVENT, DELIVERY = "x-drchrono-signature", "x-drchrono-event", "x-drchrono-delivery"
PING = "PING"


def is_genuine(signature: str | None, secrets: Sequence[str]) -> bool:
    """Say whether the header equals one of our secrets; every secret is compared, in constant time."""
    given = (signature or "").encode("latin-1", "replace")  # the very bytes of the header
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(given, secret.encode())
    return found and bool(given)


def verification(msg: str, secrets: Sequence[str]) -> dict[str, str]:
    """Give the answer to DrChrono's `GET ?msg=`: the hex HMAC-SHA256 of the message under the first secret."""
    return {"secret_token": hmac.digest(secrets[0].encode(), msg.encode(), hashlib.sha256).hex()}
