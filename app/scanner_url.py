"""DOCUMENT_SCANNER, read in one place: which scanner documents are shown to, and where it is.

`clamd://host:port`, `clamd:///path/of/its/socket` or `icap://host:port/service`. What is not understood is refused in
words of ours.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

CLAMD, ICAP = "clamd", "icap"
_PORTS = {CLAMD: 3310, ICAP: 1344}


@dataclass(frozen=True, slots=True)
class ScannerAddress:
    """Where a scanner is: host and port, or of clamd the path of its socket; `service`: of an ICAP server's."""

    scheme: str
    host: str
    port: int
    path: str = ""
    service: str = ""


def read_scanner(url: str) -> ScannerAddress:
    """Give what an address says.

    Raises  ValueError in words of ours, without the address
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("it is not an address, or its port is not a number from 1 to 65535") from None
    if parts.scheme not in _PORTS:
        raise ValueError("it begins with neither clamd:// nor icap://")
    if not url.isprintable() or " " in url or parts.username is not None or parts.query or parts.fragment:
        raise ValueError("it holds a user, a blank, a ? or a #, which no scanner's address has")
    address = ScannerAddress(parts.scheme, parts.hostname or "", port or _PORTS[parts.scheme])
    if parts.scheme == CLAMD:
        return _clamd(address, parts.path)
    if not address.host or parts.path in ("", "/"):
        raise ValueError("an ICAP server's address names a host and, behind a /, the service that scans")
    return ScannerAddress(ICAP, address.host, address.port, service=parts.path[1:])


def _clamd(address: ScannerAddress, path: str) -> ScannerAddress:
    if address.host and path in ("", "/"):
        return address
    if address.host or path in ("", "/"):
        raise ValueError("a clamd is named by host and port, or behind three slashes by the path of its socket")
    return ScannerAddress(CLAMD, "", 0, path=path)
