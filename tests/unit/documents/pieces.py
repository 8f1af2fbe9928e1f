"""Documents in memory, and sources that give them in pieces, as a vendor's client does."""

from contextlib import asynccontextmanager

HEADS = {
    "pdf": b"%PDF-1.7\n",
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "tiff": b"MM\0*\0\0\0\x08",
}
PDF = HEADS["pdf"] + b"one page" * 500


def opening(*contents, piece=700, error=None):
    """Gives a source that gives each content in turn, the last again and again; `error` comes in the middle."""
    left = list(contents)

    async def cut(content):
        for at in range(0, len(content), piece):
            if error is not None and at > len(content) // 2:
                raise error
            yield content[at : at + piece]

    @asynccontextmanager
    async def opened():
        content = left.pop(0) if len(left) > 1 else left[0]
        pieces = cut(content)
        try:
            yield pieces
        finally:
            await pieces.aclose()

    return opened
