"""A process that looks at the probes twice a second and prints a line of JSON for each look, until it is stopped.

It is a process of its own, so that whoever starts and kills the service beside it needs no threads.

    python -m tests.harness.verify.probing http://127.0.0.1:8000
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.harness.verify.seen import Probe

_EVERY_S, _PATIENCE_S = 0.5, 8.0


def look(web: httpx.Client) -> Probe:
    """Look at the three probes once; who answers nothing in 8 s does not answer."""
    began, livez, readyz, parts = time.time(), None, None, {}
    with contextlib.suppress(httpx.HTTPError):
        livez = web.get("/livez").status_code
        readyz = web.get("/readyz").status_code
        parts = {name: part["state"] for name, part in web.get("/healthz").json()["parts"].items()}
    return Probe(began, time.time(), livez, readyz, parts)


def read(path: Path) -> Iterator[Probe]:
    """Give the looks that were printed into a file; the last line may have been cut off."""
    for line in path.read_text().splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            yield Probe(*json.loads(line))


def main() -> None:
    """Look until stopped."""
    fresh = httpx.Limits(max_keepalive_connections=0)  # a connection to a killed web says nothing of its successor
    with httpx.Client(base_url=sys.argv[1], timeout=_PATIENCE_S, limits=fresh) as web:
        while True:
            one = look(web)
            line = json.dumps([one.began, one.ended, one.livez, one.readyz, dict(one.parts)])
            print(line, flush=True)  # noqa: T201 - the lines are what this process is for
            time.sleep(_EVERY_S)


if __name__ == "__main__":
    main()
