"""A document's address behind a proxy: who looks its name up there, and who answers, is the proxy's affair."""

import asyncio

import pytest

from app.errors import Unavailable
from app.vendors import http
from app.vendors.drchrono.file_host import FileHost


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
async def test_behind_a_proxy_it_is_the_proxy_that_looks_a_name_up(monkeypatch, variable):
    asked = []

    async def answer(reader, writer):
        asked.append((await reader.readline()).split()[:2])
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    monkeypatch.setenv(variable, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    host = FileHost("https://app.drchrono.example", http.trusted(None))

    with pytest.raises(Unavailable):
        await host.opened("https://files.clinic.example/a.pdf", "", asyncio.get_running_loop().time() + 5).__aenter__()

    await host.close()
    server.close()
    assert asked == [[b"CONNECT", b"files.clinic.example:443"]]
