"""The search for patients' data where none may lie: our answers, Valkey, our logs, the database's files in clear."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import redis

from tests.harness.cluster import Town

_ADDRESSES = ("/livez", "/readyz", "/healthz", "/metrics", "/api/v1/queue", "/api/v1/failures", "/api/v1/conflicts")
PATTERNS = 3
_CALLED = "the addresses we called"
_BORN, _PHONE = r"\b19[34]\d-[01]\d-[0-3]\d\b", r"\(2\d\d\) 555-\d{4}"  # everybody's, and nobody else's
_LOGS = ("serve.log", "work.log", "reconcile.log", "valkey/valkey.log")


def answers(here: Town, called: str) -> dict[str, str]:
    """Give what every address of ours answers now, all that Valkey holds, and what we called."""
    found = {_CALLED: called}
    for address in _ADDRESSES:
        with suppress(httpx.HTTPError):
            found[address] = here.web.get(address).text
    with suppress(redis.RedisError), redis.Redis.from_url(here.given["REDIS_URL"]) as client:
        found["Valkey's keys"] = repr([(key, client.dump(key)) for key in client.scan_iter()])
    return found


def places(folder: Path, said: Mapping[str, str], word: str) -> dict[str, int]:
    """Give how often patients' data lies in what was said, and in the files of a town that has ended.

    word  what every name, address and e-mail bears
    """
    texts = dict(said)
    for name in _LOGS:
        if (folder / name).exists():
            texts[name] = (folder / name).read_text(errors="replace")
    for name, pattern in (("the database's files", "chronobridge.db*"), ("Valkey's files", "valkey/**/*")):
        files = [path for path in folder.glob(pattern) if path.is_file()]
        texts[name] = "".join(path.read_bytes().decode("latin-1") for path in files)
    names = f"{word}|{word.lower()}"
    anything = f"{names}|{_BORN}|{_PHONE}"
    # DrChrono knows no other way to search than by a birth date in its address
    return {place: len(re.findall(names if place == _CALLED else anything, text)) for place, text in texts.items()}
