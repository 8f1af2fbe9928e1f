"""How the stand-ins read bodies in parts: wherever a piece ends, and without holding a file that is not to be kept."""

import hashlib
import tracemalloc

import pytest
from starlette.requests import Request

from tests.standins.blobs import PIECE_BYTES
from tests.standins.multipart import BrokenBodyError, parts_of

FILE = b"\r\n--B\r\n-- --BOUNDARY\r\n--BOUND\r\n"
BODY = (
    b'preamble\r\n--BOUNDARY\r\nContent-Disposition: form-data; name="description"\r\n\r\nReferral \xc3\xa9\r\n'
    b'--BOUNDARY\r\nContent-Type: application/pdf\r\nContent-Disposition: form-data; name="document"; '
    b'filename="a \xc3\xa9.pdf"\r\n\r\n' + FILE + b"\r\n--BOUNDARY--\r\nepilogue"
)


def request_of(pieces, boundary='"BOUNDARY"'):
    """A request whose body comes in these pieces."""
    left = iter(pieces)

    async def receive():
        piece = next(left, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    head = [(b"content-type", f"multipart/form-data; boundary={boundary}".encode())]
    return Request({"type": "http", "method": "POST", "headers": head}, receive)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, len(BODY)])
async def test_parts_are_the_same_wherever_a_piece_ends(size):
    pieces = [BODY[at : at + size] for at in range(0, len(BODY), size)]

    text, file = await parts_of(request_of(pieces), keep_bytes=100)

    assert (text.name, text.filename, text.blob.whole().decode()) == ("description", None, "Referral é")
    assert (file.name, file.filename, file.media_type) == ("document", "a é.pdf", "application/pdf")
    assert (file.blob.whole(), file.blob.md5) == (FILE, hashlib.md5(FILE).hexdigest())


@pytest.mark.parametrize(
    "body",
    [BODY[: BODY.index(b"--BOUNDARY--")], b"", BODY.replace(b'name="document"; ', b""), b"--BOUNDARYx" + BODY],
    ids=["cut", "empty", "no name", "no line's end"],
)
async def test_a_body_that_is_not_whole_or_not_in_parts_is_broken(body):
    with pytest.raises(BrokenBodyError):
        await parts_of(request_of([body]), keep_bytes=100)


async def test_a_body_without_a_boundary_is_broken():
    with pytest.raises(BrokenBodyError):
        await parts_of(request_of([BODY], boundary='""'), keep_bytes=100)


async def test_a_file_that_is_not_to_be_kept_is_never_held():
    def pieces():
        yield BODY[: BODY.index(FILE)]
        for _ in range(200):
            yield bytes(PIECE_BYTES)
        yield b"\r\n--BOUNDARY--"

    tracemalloc.start()
    parts = await parts_of(request_of(pieces()), keep_bytes=PIECE_BYTES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert parts[-1].blob.size == 200 * PIECE_BYTES
    assert peak < 20 * PIECE_BYTES
