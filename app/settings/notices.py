"""The settings of notices: where they are sent, what of, and when; each read from text and checked.

Addresses hold secrets (a Slack address is one, a mail server's has a password), so none of them is ever printed. They
come from here alone: nobody who uses the console can have the service call an address of theirs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from app.settings.service import ServiceSettings
from app.settings.types import KEY, Key, OrNone, Section, Texts
from app.settings.url import one_line, split_address
from app.sync.notices import NoticeEvent

NOTICES = Section("Notices: who is told when something needs attention, by webhook, Slack or e-mail; or nobody")
SUBMISSION_PORTS: Mapping[str, int] = {"smtp": 587, "smtps": 465}
_MOST_PER_HOUR = 60
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mail is handed in. `is_tls`: by TLS from the first byte; else the connection is upgraded to it."""

    host: str
    port: int
    is_tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def read_mail_server(text: str) -> MailServer:
    """Give the mail server that an address names.

    Raises  ValueError that says what is wrong, without the address
    """
    url = split_address(one_line(text))
    if url.scheme not in SUBMISSION_PORTS or not url.hostname:
        raise ValueError("it is not smtp://HOST or smtps://HOST")
    if url.path.strip("/") or url.query or url.fragment:
        raise ValueError("something stands behind the host and port; write a / or ? of a password percent-encoded")
    if bool(url.username) != bool(url.password):
        raise ValueError("user and password stand there together or not at all")
    port = url.port or SUBMISSION_PORTS[url.scheme]
    user, password = (None if one is None else unquote(one) for one in (url.username, url.password))
    return MailServer(url.hostname, port, url.scheme == "smtps", user, password)


def _mail_url(value: SecretStr) -> SecretStr:
    read_mail_server(value.get_secret_value())
    return value


def _hook_url(value: SecretStr) -> SecretStr:
    url = split_address(one_line(value.get_secret_value()))
    if url.scheme not in ("https", "http") or not url.hostname or url.fragment or url.username or url.password:
        raise ValueError("it is not an https address")
    return value


def _addresses(value: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_ADDRESS.fullmatch(one) for one in value):
        raise ValueError("one of them is no e-mail address; write each as name@host, without a person's name")
    return value


def _address(value: str) -> str:
    return _addresses((value,))[0]


def _events(value: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [one for one in value if one not in set(NoticeEvent)]:
        raise ValueError(f"{unknown[0][:40]!r} is none of {', '.join(NoticeEvent)}")
    return value


def _time_of_day(value: Any) -> Any:
    if not isinstance(value, str) or not value:
        return value or None
    try:
        return datetime.strptime(value, "%H:%M").time()  # noqa: DTZ007 - a wall clock's
    except ValueError:
        raise ValueError("it is no time of day between 00:00 and 23:59") from None


HookUrl = Annotated[SecretStr, AfterValidator(_hook_url)]
MailUrl = Annotated[SecretStr, AfterValidator(_mail_url)]
Addresses = Annotated[Texts, AfterValidator(_addresses)]
Address = Annotated[str, AfterValidator(_address)]
Events = Annotated[Texts, AfterValidator(_events)]
TimeOfDay = Annotated[time | None, BeforeValidator(_time_of_day)]


class NoticeSettings(ServiceSettings):
    """Where notices go; without an address none is made."""

    notify_url: Annotated[OrNone[HookUrl], NOTICES] = Field(
        None,
        description="the https address that notices are posted to as signed JSON\n"
        "Signed as Standard Webhooks say, with NOTIFY_SIGNING_KEY; set both. See deploy/docs/notices.md.",
        examples=["https://hooks.example.com/chronobridge"],
    )
    notify_signing_key: Annotated[OrNone[Key], NOTICES, replace(KEY, is_active=False)] = Field(
        None,
        description="a url-safe base64 key of 32 bytes; signs what NOTIFY_URL is sent\n"
        "The receiver has it as whsec_ and the same key, with + and / in place of - and _.",
    )
    notify_slack_url: Annotated[OrNone[HookUrl], NOTICES] = Field(
        None,
        description="the https address of an incoming webhook of Slack, Mattermost or what takes the same JSON",
        examples=["https://hooks.slack.com/services/T000/B000/XXXX"],
    )
    notify_smtp_url: Annotated[OrNone[MailUrl], NOTICES] = Field(
        None,
        description="the mail server: smtp:// (upgraded to TLS, port 587) or smtps:// (TLS, port 465)\n"
        "smtp://[USER:PASSWORD@]HOST[:PORT]; write a user and a password percent-encoded. Set the next two with it.",
        examples=["smtp://sync%40clinic.example:PASSWORD@mail.clinic.example"],
    )
    notify_email_to: Annotated[Addresses, NOTICES] = Field(
        (), description="a comma list of e-mail addresses that notices are sent to", examples=["desk@clinic.example"]
    )
    notify_email_from: Annotated[OrNone[Address], NOTICES] = Field(
        None, description="the e-mail address that notices come from", examples=["sync@clinic.example"]
    )
    notify_events: Annotated[Events, NOTICES] = Field(
        tuple(NoticeEvent),
        description=f"a comma list of {', '.join(NoticeEvent)}\nWhat notices tell of. Unset: all of them.",
        examples=[f"{NoticeEvent.OUTAGE},{NoticeEvent.SAFETY_LIMIT},{NoticeEvent.FAILURE},{NoticeEvent.REVIEW}"],
    )
    notify_digest_at: Annotated[TimeOfDay, NOTICES] = Field(
        None,
        description="a time of day by the clinic's clock, like 08:00\n"
        "When each day's digest is sent: how many need review, how many failed. Unset: none.",
        examples=["08:00"],
    )
    notify_per_hour: Annotated[int, NOTICES] = Field(
        10,
        ge=1,
        le=_MOST_PER_HOUR,
        description=f"how many notices are sent in an hour at most, 1 to {_MOST_PER_HOUR}\n"
        "They are spread evenly: with 10, what comes up within six minutes of one is told by the next.",
        examples=["10"],
    )
    notify_plaintext: Annotated[bool, NOTICES] = Field(
        False,
        description="true or false: whether notices may travel unencrypted, by http:// or to a server without TLS\n"
        "For a receiver on this machine or in a network of your own. A password is sent by TLS all the same.",
        examples=["false"],
    )

    @property
    def has_notices(self) -> bool:
        """Whether anybody is to be told."""
        return any(one is not None for one in (self.notify_url, self.notify_slack_url, self.notify_smtp_url))
