"""Where a document's address leads is judged before anything is sent there, and by what its name leads to."""

import asyncio

import pytest

from app.errors import DocumentRefused
from app.sync.failure_causes import URL_REFUSED
from app.vendors import http
from app.vendors.drchrono.documents import extension
from app.vendors.drchrono.file_host import FileHost

DRCHRONO, HERE = "https://app.drchrono.example", "http://127.0.0.1:9"


async def cause(base, address):
    host = FileHost(base, http.trusted(None))
    try:
        with pytest.raises(DocumentRefused) as raised:
            async with host.opened(address, "token", asyncio.get_running_loop().time() + 5):
                pass
    finally:
        await host.close()
    return raised.value.cause


@pytest.mark.parametrize("base", [DRCHRONO, HERE])
@pytest.mark.parametrize(
    "address",
    [
        "http://files.example.com/a.pdf",
        "ftp://files.example.com/a.pdf",
        "file:///etc/passwd",
        "https://user:secret@files.example.com/a.pdf",
        "https://10.0.0.7/a.pdf",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/a.pdf",
        "https://[::ffff:192.168.0.1]/a.pdf",
        "https://0.0.0.0/a.pdf",
        "https://224.0.0.1/a.pdf",
        "https://167772167/a.pdf",
        "//files.example.com/a.pdf",
        "a.pdf",
        "https://",
        "\x00",
    ],
)
async def test_nothing_is_read_from_an_address_that_is_not_on_the_internet(base, address):
    assert await cause(base, address) == URL_REFUSED


@pytest.mark.parametrize("address", ["http://127.0.0.1/a.pdf", "https://127.0.0.1/a.pdf", "https://[::1]/a.pdf"])
async def test_this_machine_is_asked_only_where_drchrono_itself_is_on_it(address):
    assert await cause(DRCHRONO, address) == URL_REFUSED


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ("https://files.example.com/a/Letter.PDF?X-Amz-Signature=x.png", "pdf"),
        ("https://files.example.com/a", ""),
        (None, ""),
        (7, ""),
        ("https://[", ""),
    ],
)
def test_the_extension_is_that_of_the_addresss_path(document, found):
    assert extension({"document": document}) == found
