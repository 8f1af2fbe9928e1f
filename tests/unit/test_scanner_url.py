"""What DOCUMENT_SCANNER says: both kinds of scanner, by host, by socket, by service; its mistakes: the settings'."""

import pytest

from app.scanner_url import ScannerAddress, read_scanner


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("clamd://av.example:3311", ScannerAddress("clamd", "av.example", 3311)),
        ("clamd://av.example/", ScannerAddress("clamd", "av.example", 3310)),
        ("clamd://[::1]", ScannerAddress("clamd", "::1", 3310)),
        ("clamd:///run/clamav/clamd.ctl", ScannerAddress("clamd", "", 0, path="/run/clamav/clamd.ctl")),
        ("icap://av.example/avscan", ScannerAddress("icap", "av.example", 1344, service="avscan")),
        ("icap://av.example:1345/a/b", ScannerAddress("icap", "av.example", 1345, service="a/b")),
    ],
)
def test_an_address_says_which_scanner_it_is_and_where(url, address):
    assert read_scanner(url) == address
