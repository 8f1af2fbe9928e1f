"""A file on its way out of a vendor's system: its bytes as they come, in pieces, within one deadline.

Nothing is decoded and nothing is kept. What comes too slowly, is cut, or comes packed is no answer. How long a piece
may be is the network's affair: httpx reads 64 KB at most.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx

from app.errors import Unavailable
from app.vendors import http

_MOST_OF_A_REFUSAL = 64 * 2**10  # of an answer that is no file, for whoever judges it
# what no document of ours is served as: a page of something before the file's host, or a vendor's own words
_NO_FILE = ("text/html", "application/json", "text/xml", "application/xml")
IDENTITY = {"Accept-Encoding": "identity", "Accept": "*/*"}
PACKED, SLOW = "PACKED", "NO_ANSWER"


def is_file(response: httpx.Response) -> bool:
    """Say whether an answer with a success's status is a file as it is: no page, no message, nothing packed."""
    media = http.media_of(response.headers.get("content-type"))
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    return response.status_code == httpx.codes.OK and media not in _NO_FILE and packed in ("", "identity")


async def reply_of(response: httpx.Response) -> http.Reply:
    """Give what came in a file's place, as far as it is short enough to be a refusal.

    Raises  httpx.HTTPError
    """
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > _MOST_OF_A_REFUSAL:
            break
    return http.Reply(response.status_code, http.media_of(response.headers.get("content-type")), body)


async def pieces_of(response: httpx.Response, side: str, call: str, deadline: float) -> AsyncGenerator[bytes]:
    """Give a file's bytes as they come, until the loop's time is `deadline`.

    Raises  Unavailable where they do not come whole
    """
    async with aclosing(response.aiter_raw()) as pieces:  # type: ignore[type-var]  # a generator, which httpx hides
        while True:
            try:
                async with asyncio.timeout_at(deadline):  # around each: whoever takes them is no part of it
                    piece = await anext(pieces, None)
            except httpx.HTTPError as error:
                raise http.translated(error, side, call, writes=False) from None
            except TimeoutError:
                raise Unavailable(side, call, code=SLOW) from None
            if piece is None:
                return
            yield piece
