"""The host of DrChrono's files: where the address in a document leads, and what is read from there.

As a rule that is a store's presigned address, good for some minutes, at a host that is not DrChrono's. So no token and
no cookie goes there, nothing but https is spoken, and nothing is read from our own network, whatever an address or a
redirect says: a name is looked up first, and who answered is looked at again. Only DrChrono's own host gets the token.
No address is in an error or a log line: whoever has one can read the file.

Source  reference `documents`: "a file-host link, likely expiring" (inferred; nothing is published of it)
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from app.errors import DocumentNotReady, DocumentRefused, Unavailable
from app.sync.failure_causes import BYTES_MISSING, URL_REFUSED
from app.sync.model import Side
from app.vendors import downloads, http

CALL = "GET document"
FILES_AT_ONCE = 2  # of one process, each way and beside its calls: none of them waits for a file
_SIDE = Side.DRCHRONO.value
_MOST_REDIRECTS = 3
_LOOK_AGAIN_S = 300.0
_EXPIRED = frozenset({400, 401, 403, 404, 410})  # a store says each of these of an address whose time is over


class FileHost:
    """Whoever serves DrChrono's files; `base_url` is DrChrono's own address."""

    def __init__(self, base_url: str, context: Any) -> None:
        self._base = httpx.URL(base_url)
        self._is_local = _is_loopback(self._base.host)
        without = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        self._http = http.client("", context, headers=downloads.IDENTITY, cookies=without)
        self._places = asyncio.Semaphore(FILES_AT_ONCE)

    def is_own(self, url: str) -> bool:
        """Say whether an address is at DrChrono's own host, so that reading it is a call like any other."""
        try:
            return self._is_own(httpx.URL(url))
        except httpx.InvalidURL:
            return False

    @asynccontextmanager
    async def opened(self, url: str, token: str, deadline: float) -> AsyncIterator[AsyncGenerator[bytes]]:
        """Give the bytes of the file at an address, as they come, until the loop's time is `deadline`.

        token   DrChrono's, for its own host alone
        Raises  DocumentRefused (URL_REFUSED); DocumentNotReady (BYTES_MISSING) where the address has expired or leads
                to no file; Unavailable
        """
        there = self._allowed(url)
        tokens = ("", token) if token and self._is_own(there) else ("",)  # a signed address takes no token beside
        async with self._places, AsyncExitStack() as stack:
            response = await self._found(there, tokens, deadline)
            stack.push_async_callback(response.aclose)
            yield await stack.enter_async_context(aclosing(downloads.pieces_of(response, _SIDE, CALL, deadline)))

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.aclose()

    async def _found(self, there: httpx.URL, tokens: Sequence[str], deadline: float) -> httpx.Response:
        """Give the answer that is the file, to the first of some tokens that is let in."""
        for token in tokens[:-1]:
            with suppress(DocumentNotReady, Unavailable):
                return await self._followed(there, token, deadline)
        return await self._followed(there, tokens[-1], deadline)

    async def _followed(self, there: httpx.URL, token: str, deadline: float) -> httpx.Response:
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._asked(there, token, deadline)
            if response.status_code == httpx.codes.OK and downloads.is_file(response):
                return response
            await response.aclose()
            if response.status_code in _EXPIRED:
                raise no_bytes_yet()
            if not response.is_redirect:
                raise Unavailable(_SIDE, CALL, status=response.status_code, code="NO_FILE")
            there = self._allowed(str(response.headers.get("location", "")), there)
        raise DocumentRefused(URL_REFUSED)

    async def _asked(self, there: httpx.URL, token: str, deadline: float) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token and self._is_own(there) else {}
        is_direct = not _has_proxy(there)
        try:
            async with asyncio.timeout_at(deadline):
                if is_direct:
                    await self._must_be_public(there)
                request = self._http.build_request("GET", there, headers=headers)
                response = await self._http.send(request, stream=True, auth=None)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise http.translated(error, _SIDE, CALL, writes=False) from None
        except TimeoutError:
            raise Unavailable(_SIDE, CALL, code=downloads.SLOW) from None
        stream = response.extensions.get("network_stream")
        address = stream.get_extra_info("server_addr") if stream is not None and is_direct else None
        if address and not self._may_be_asked(there, address[0]):
            await response.aclose()
            raise DocumentRefused(URL_REFUSED)
        return response

    def _allowed(self, url: str, base: httpx.URL | None = None) -> httpx.URL:
        """Give an address that may be asked; `base`: where it was named.

        Raises  DocumentRefused
        """
        try:
            there = base.join(url) if base is not None else httpx.URL(url)
        except (httpx.InvalidURL, TypeError, ValueError):
            raise DocumentRefused(URL_REFUSED) from None
        is_plain = there.scheme == "http" and self._is_local and _is_loopback(there.host)
        if not there.host or there.userinfo or not (there.scheme == "https" or is_plain):
            raise DocumentRefused(URL_REFUSED)
        return there

    async def _must_be_public(self, there: httpx.URL) -> None:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(there.host, there.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unavailable(_SIDE, CALL, code=type(error).__name__) from None
        if not all(self._may_be_asked(there, str(one[4][0])) for one in found):
            raise DocumentRefused(URL_REFUSED)

    def _may_be_asked(self, there: httpx.URL, address: str) -> bool:
        """Say whether a host may be asked that has this IP address: none of our own network."""
        if there.host == self._base.host:
            return True
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        return (found.is_global and not found.is_multicast) or (self._is_local and found.is_loopback)

    def _is_own(self, there: httpx.URL) -> bool:
        return (there.scheme, there.host, there.port) == (self._base.scheme, self._base.host, self._base.port)


def no_bytes_yet() -> DocumentNotReady:
    """Give our error for a document whose bytes are not there: most come within seconds, and each look costs a call."""
    return DocumentNotReady(BYTES_MISSING, _LOOK_AGAIN_S)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _has_proxy(there: httpx.URL) -> bool:
    """Say whether another machine looks the name up and connects for us."""
    return not {there.scheme, "all"}.isdisjoint(getproxies()) and not proxy_bypass(there.host)
