"""The channels that notices go by: a signed webhook, a Slack-compatible webhook; `email_notices.py` has e-mail.

Addresses come from the settings alone. As with the vendors, TLS is verified by the public roots and CA_BUNDLE, no
redirect is followed, and an answer is given ten seconds, however slowly it trickles; nothing of its text is read, kept
or shown. What became of a notice is a value, in words for people: nothing here raises because a receiver is away.

Source  Standard Webhooks 1.0.0, "Webhook headers" and "Verifying webhook authenticity" (read 2026-11): webhook-id,
        webhook-timestamp and webhook-signature, `v1,` and the base64 of HMAC-SHA256 over ID.TIMESTAMP.BODY
"""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx

from app.sync.notices import NoticeItem, in_order, shortened, title_of
from app.vendors import http

WEBHOOK, SLACK, EMAIL = "webhook", "slack", "email"
DEADLINE_S = 10.0  # for all of a receiver's answers to one notice


@dataclass(frozen=True, slots=True)
class OutgoingNotice:
    """A notice ready to be sent. `id` is the same at every attempt, so that a receiver can tell a repetition."""

    id: str
    at: datetime
    items: tuple[NoticeItem, ...]


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of sending a notice; `reason`: why it was not sent, or what is to be said though it was."""

    is_sent: bool
    reason: str = ""


class NoticeChannel(Protocol):
    """One way to tell people."""

    name: str
    deadline_s: float

    async def send(self, notice: OutgoingNotice) -> SendResult:
        """Send a notice, and say what became of that."""

    async def close(self) -> None:
        """Let the connections go."""


def sign(key: bytes, id_: str, seconds: int, body: bytes) -> str:
    """Give the signature of a body under a key, as Standard Webhooks write it."""
    signed = f"{id_}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class HttpChannel:
    """A channel that posts JSON.

    setting  the name of the setting that holds the address, which is itself not shown
    written  gives the body and the headers of a notice
    """

    def __init__(
        self,
        name: str,
        setting: str,
        url: str,
        context: ssl.SSLContext,
        written: Callable[[OutgoingNotice], tuple[bytes, Mapping[str, str]]],
    ) -> None:
        self.name, self._setting, self._url, self._written = name, setting, url, written
        self._http = http.client("", context)
        self.deadline_s = DEADLINE_S

    async def send(self, notice: OutgoingNotice) -> SendResult:
        """Post a notice, and say what became of that."""
        body, headers = self._written(notice)
        headers = {"content-type": "application/json", "user-agent": "chronobridge", **headers}
        try:
            async with (
                asyncio.timeout(self.deadline_s),
                self._http.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                status = response.status_code
        except TimeoutError:
            return unsent(f"no answer came within {self.deadline_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return unsent(_unreached(error))
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own classes
            return SendResult(is_sent=True)
        if 300 <= status < 400:  # noqa: PLR2004
            return unsent(f"it redirects ({status}), which is not followed: put the final address into {self._setting}")
        return unsent(f"it answered {status}: check {self._setting} and what the receiver says of it")

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.aclose()


def webhook(url: str, key: bytes, public_url: str, context: ssl.SSLContext) -> HttpChannel:
    """Give the channel that posts signed JSON."""

    def written(notice: OutgoingNotice) -> tuple[bytes, Mapping[str, str]]:
        body, seconds = json.dumps(_as_json(notice, public_url)).encode(), int(datetime.now(UTC).timestamp())
        return body, {
            "webhook-id": notice.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": sign(key, notice.id, seconds, body),
        }

    return HttpChannel(WEBHOOK, "NOTIFY_URL", url, context, written)


def _as_json(notice: OutgoingNotice, public_url: str) -> dict[str, Any]:
    items = in_order(notice.items)
    told = [
        {
            "event": one.event.value,
            "state": one.state.value,
            "text": one.what,
            "advice": one.advice,
            "url": public_url + one.path,
        }
        for one in items
    ]
    data = {"id": notice.id, "title": title_of(items), "url": public_url, "items": told}
    return {"type": "notice", "timestamp": notice.at.isoformat(timespec="seconds"), "data": data}


def slack(url: str, public_url: str, context: ssl.SSLContext) -> HttpChannel:
    """Give the channel that posts what Slack's incoming webhooks take."""

    def written(notice: OutgoingNotice) -> tuple[bytes, Mapping[str, str]]:
        items = in_order(notice.items)
        spelled, rest = shortened(items)
        is_one = len(items) == 1
        lines = [] if is_one else [f"*{_escaped(title_of(items))}*"]
        for one in spelled:
            what = f"*{_escaped(one.headline)}.*" if is_one else f"• {_escaped(one.headline)}."
            where = f"<{_escaped(public_url + one.path)}|Open>"
            lines.append(" ".join(part for part in (what, _escaped(one.advice), where) if part))
        text = "\n".join([*lines, *([rest] if rest else [])])
        return json.dumps({"text": text}).encode(), {}

    return HttpChannel(SLACK, "NOTIFY_SLACK_URL", url, context, written)


def _escaped(text: str) -> str:
    """Give a text without what Slack takes for markup of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unsent(reason: str) -> SendResult:
    """Give that a notice was not sent, and why."""
    return SendResult(is_sent=False, reason=reason)


def _unreached(error: Exception) -> str:
    if is_distrust(error):
        return "its certificate is not trusted: add its root to CA_BUNDLE, or correct the host's name"
    if isinstance(error, httpx.TimeoutException):
        return f"it did not answer in time ({type(error).__name__})"
    return f"it could not be reached ({type(error).__name__}): check the address, and that this machine may call it"


def is_distrust(error: BaseException | None) -> bool:
    """Say whether an error, or what it came of, is that a certificate is not trusted."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
