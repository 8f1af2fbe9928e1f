"""The channel by which notices go as e-mail; a process that sends none does not import it, nor its library."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import urlsplit

import aiosmtplib

from app.sync.notices import NoticeItem, in_order, shortened, title_of
from app.vendors.notices import DEADLINE_S, EMAIL, OutgoingNotice, SendResult, is_distrust, unsent


@dataclass(frozen=True, slots=True)
class MailRoute:
    """Where e-mail is handed in, from whom and to whom.

    is_tls         by TLS from the first byte
    may_be_plain   a server that offers no TLS is used all the same, unless a password would travel
    """

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    is_tls: bool = False
    may_be_plain: bool = False


class EmailChannel:
    """The channel that hands e-mail in at a mail server."""

    def __init__(self, route: MailRoute, public_url: str, context: ssl.SSLContext) -> None:
        self.name, self.deadline_s = EMAIL, DEADLINE_S
        self._route, self._public_url, self._context = route, public_url, context

    async def send(self, notice: OutgoingNotice) -> SendResult:
        """Hand a notice in, and say what became of that."""
        route = self._route
        must_upgrade = not route.may_be_plain or route.password is not None
        try:
            async with asyncio.timeout(self.deadline_s):
                refused, _ = await aiosmtplib.send(
                    self._message(notice),
                    sender=route.sender,
                    recipients=list(route.recipients),
                    hostname=route.host,
                    port=route.port,
                    username=route.user,
                    password=route.password,
                    use_tls=route.is_tls,
                    start_tls=None if route.is_tls or not must_upgrade else True,
                    tls_context=self._context,
                    timeout=self.deadline_s,
                    local_hostname=urlsplit(self._public_url).hostname,  # else this machine's name is looked up
                )
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            return unsent(f"no answer came within {self.deadline_s:g} s")
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return unsent(_mail_problem(error))
        if refused:
            return SendResult(True, f"the server refused {len(refused)} of {len(route.recipients)} addresses")
        return SendResult(is_sent=True)

    async def close(self) -> None:
        """Let the connections go: there are none between two notices."""

    def _message(self, notice: OutgoingNotice) -> EmailMessage:
        items = in_order(notice.items)
        message = EmailMessage()
        message["From"], message["To"] = self._route.sender, ", ".join(self._route.recipients)
        message["Subject"] = " ".join(f"Chronobridge: {title_of(items)}".split())  # a header is one line
        message["Date"] = format_datetime(notice.at)
        message["Message-ID"] = f"<{notice.id}@{self._route.sender.partition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail_text(items, self._public_url))
        return message


def mail_text(items: Sequence[NoticeItem], public_url: str) -> str:
    """Give the text of an e-mail: each thing with what to do about it and where."""
    spelled, rest = shortened(items)
    blocks = []
    for one in spelled:
        lines = [f"{one.headline}.", one.advice, public_url + one.path]
        blocks.append("\n".join(line for line in lines if line))
    blocks += [rest] if rest else []
    return "\n\n".join([*blocks, f"Sent by Chronobridge at {public_url}, which holds the details."]) + "\n"


def _mail_problem(error: Exception) -> str:
    """Give in words what went wrong with a mail server; nothing of what it said, which may repeat an address."""
    if is_distrust(error):
        return "the mail server's certificate is not trusted: add its root to CA_BUNDLE, or correct the host's name"
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return f"the mail server refused the user or the password ({error.code}): correct NOTIFY_SMTP_URL"
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return "the mail server refused every address: correct NOTIFY_EMAIL_TO, or let this sender relay there"
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return f"the mail server refused the sender ({error.code}): correct NOTIFY_EMAIL_FROM"
    if isinstance(error, aiosmtplib.SMTPNotSupported) or type(error) is aiosmtplib.SMTPException:
        return "the mail server offers no TLS or no sign-in: use smtps://, or see NOTIFY_PLAINTEXT"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"the mail server answered {error.code}: its own log says why"
    return f"the mail server could not be reached ({type(error).__name__}): check NOTIFY_SMTP_URL"
