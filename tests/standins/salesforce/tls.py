"""A throw-away certificate authority and a certificate for this machine: simple-salesforce insists on https.

Also what breaking a connection means under TLS.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme
from starlette.types import ASGIApp, Receive, Scope, Send

NAMES = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class Files:
    """Where the server's certificate chain and its key lie."""

    certificate: str
    key: str


@contextmanager
def throwaway(ca_file: str | Path) -> Iterator[Files]:
    """Writes the authority's certificate to `ca_file`; the server's own files vanish when the block ends."""
    authority = trustme.CA(organization_name="Stand-in org, for tests only")
    issued = authority.issue_cert(*NAMES)
    authority.cert_pem.write_to_path(str(ca_file))
    with TemporaryDirectory(prefix="standin-tls-") as folder:
        files = Files(f"{folder}/server.pem", f"{folder}/server.key")
        for index, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(files.certificate, append=index > 0)
        issued.private_key_pem.write_to_path(files.key)
        yield files


class Abrupt:
    """Middleware: a dropped call loses its connection at once.

    Closing a TLS transport waits for the peer to say goodbye, which a client that saw a fault may never do.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.get("state", {})
        transport = getattr(state.get("hang_up"), "__self__", None)
        if transport is not None:
            state["hang_up"] = transport.abort
        await self.app(scope, receive, send)
