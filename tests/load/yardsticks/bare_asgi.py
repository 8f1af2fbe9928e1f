"""What any receiver of such deliveries costs at least: check the secret, parse the JSON, answer; nothing is kept.

python -m tests.load.yardsticks.bare_asgi PORT
"""

import hmac
import json
import os
import sys

import uvicorn

SECRET = os.environ.get("SECRET", "").encode()


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    given = dict(scope["headers"]).get(b"x-drchrono-signature", b"")
    is_genuine = hmac.compare_digest(given, SECRET)
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    is_record = is_genuine and "id" in json.loads(body)["object"]
    status = 200 if is_record else 401
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_config=None, lifespan="off")
