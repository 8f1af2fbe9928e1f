"""Receive: what every webhook does with a request's body."""

from starlette.requests import Request

from app.errors import BodyTooLarge


async def read_body(request: Request, limit: int) -> bytes:
    """Give the whole body.

    Raises  BodyTooLarge before more than `limit` bytes are read
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise BodyTooLarge(f"the body is larger than {limit} bytes")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise BodyTooLarge(f"the body is larger than {limit} bytes")
    return bytes(body)
