"""The channels of notices against real receivers: what arrives, and what is said of one that refuses or hangs."""

import asyncio
import base64
import contextlib
import json
import ssl
from dataclasses import replace

import pytest
import trustme

from app.sync.notices import NoticeEvent, NoticeItem, NoticeState
from app.vendors import notices
from app.vendors.email_notices import EmailChannel, MailRoute
from app.vendors.notices import OutgoingNotice, SendResult, sign
from tests.build import NOW
from tests.contract.listening import listening
from tests.contract.mail_server import MailServer

PUBLIC = "https://sync.example.com"
KEY = b"0123456789abcdef0123456789abcdef"
FAILED = NoticeItem(
    NoticeEvent.FAILURE,
    NoticeState.STARTED,
    "3 patients failed (Salesforce: <code>)",
    "Fill it in.",
    "/attention?a=1&b=2",
)
OVER = NoticeItem(NoticeEvent.OUTAGE, NoticeState.RESOLVED, "DrChrono answers again", path="/connections")
NOTICE = OutgoingNotice("01JSYNTHETICNOTICE00000000", NOW, (OVER, FAILED))
ROUTE = MailRoute("localhost", 0, "sync@clinic.example", ("desk@clinic.example", "it@clinic.example"))
SENT = SendResult(is_sent=True)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def context(authority):
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return trusting


@pytest.fixture
def tls(authority):
    speaking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(speaking)
    return speaking


@contextlib.asynccontextmanager
async def sending(channel):
    yield channel
    await channel.close()


async def test_the_signed_webhook_is_what_standard_webhooks_verify(context):
    with listening((204, b"")) as receiver:
        async with sending(notices.webhook(receiver.url, KEY, PUBLIC, context)) as channel:
            result = await channel.send(NOTICE)

    (body,), (headers,) = receiver.bodies, receiver.headers
    assert result == SENT
    assert headers["webhook-signature"] == sign(KEY, NOTICE.id, int(headers["webhook-timestamp"]), body)
    assert headers["webhook-id"] == NOTICE.id
    data = json.loads(body)["data"]
    assert data["title"] == "1 to look at, 1 resolved"
    assert [(one["event"], one["state"], one["url"]) for one in data["items"]] == [
        ("failure", "started", "https://sync.example.com/attention?a=1&b=2"),
        ("outage", "resolved", "https://sync.example.com/connections"),
    ]


def test_a_signature_is_that_of_the_standards_own_example():
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signature = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_slack_is_told_in_its_own_markup_and_takes_none_of_ours_for_it(context):
    with listening((200, b"ok")) as receiver:
        async with sending(notices.slack(receiver.url, PUBLIC, context)) as channel:
            assert await channel.send(NOTICE) == SENT

    assert json.loads(receiver.bodies[0]) == {
        "text": "*1 to look at, 1 resolved*\n"
        "• 3 patients failed (Salesforce: &lt;code&gt;). Fill it in. "
        "<https://sync.example.com/attention?a=1&amp;b=2|Open>\n"
        "• Resolved: DrChrono answers again. <https://sync.example.com/connections|Open>"
    }


async def test_slack_is_told_one_thing_in_one_line(context):
    with listening((200, b"ok")) as receiver:
        async with sending(notices.slack(receiver.url, PUBLIC, context)) as channel:
            await channel.send(replace(NOTICE, items=(OVER,)))

    line = "*Resolved: DrChrono answers again.* <https://sync.example.com/connections|Open>"
    assert json.loads(receiver.bodies[0]) == {"text": line}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (302, "it redirects (302), which is not followed: put the final address into NOTIFY_SLACK_URL"),
        (404, "it answered 404: check NOTIFY_SLACK_URL and what the receiver says of it"),
        (503, "it answered 503: check NOTIFY_SLACK_URL and what the receiver says of it"),
    ],
    ids=str,
)
async def test_an_answer_that_is_no_yes_is_told_in_words_and_no_redirect_is_followed(context, status, reason):
    with listening((status, b"Canary")) as receiver:
        async with sending(notices.slack(receiver.url, PUBLIC, context)) as channel:
            result = await channel.send(NOTICE)

    assert result == SendResult(is_sent=False, reason=reason)
    assert len(receiver.bodies) == 1


@contextlib.asynccontextmanager
async def hanging(first):
    """A receiver that says so much, and then something every moment for ever, or nothing."""

    under_way = set()

    async def serve(_reader, writer):
        under_way.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while True:
                writer.write(first)
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/secret-path"
    finally:
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way)


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200 OK\r\nx: y\r\n"], ids=["nothing", "headers without end"])
async def test_a_receiver_that_hangs_is_given_a_deadline_however_it_trickles(context, says):
    async with hanging(says) as url, sending(notices.slack(url, PUBLIC, context)) as channel:
        channel.deadline_s = 0.1
        result = await channel.send(NOTICE)

    assert not result.is_sent
    assert "secret-path" not in result.reason


async def test_of_an_answer_without_end_only_the_status_is_read(context):
    endless = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"
    async with hanging(endless) as url, sending(notices.slack(url, PUBLIC, context)) as channel:
        assert await channel.send(NOTICE) == SENT


async def test_a_receiver_that_is_away_is_told_in_words_without_its_address(context):
    async with sending(notices.slack("http://127.0.0.1:9/secret-path", PUBLIC, context)) as channel:
        result = await channel.send(NOTICE)

    assert (
        result.reason == "it could not be reached (ConnectError): check the address, and that this machine may call it"
    )


async def mails(server, context, **route):
    async with server.listening():
        channel = EmailChannel(replace(ROUTE, port=server.port, **route), PUBLIC, context)
        channel.deadline_s = 5.0 if not server.hangs_at else 0.2
        return await channel.send(NOTICE)


@pytest.mark.parametrize("is_tls", [False, True], ids=["starttls", "smtps"])
async def test_an_email_is_handed_in_by_tls_with_the_password_and_says_what_to_do_and_where(context, tls, is_tls):
    server = MailServer(tls, {"desk": "p@ss/word"}, is_tls=is_tls)

    assert await mails(server, context, is_tls=is_tls, user="desk", password="p@ss/word") == SENT

    (message,) = server.messages
    assert server.passwords == [("p@ss/word", True)]
    assert message["subject"] == "Chronobridge: 1 to look at, 1 resolved"
    assert (message["from"], message["to"]) == ("sync@clinic.example", "desk@clinic.example, it@clinic.example")
    assert message["auto-submitted"] == "auto-generated"
    assert message.get_content().replace("\r\n", "\n").strip() == (
        "3 patients failed (Salesforce: <code>).\nFill it in.\nhttps://sync.example.com/attention?a=1&b=2\n\n"
        "Resolved: DrChrono answers again.\nhttps://sync.example.com/connections\n\n"
        "Sent by Chronobridge at https://sync.example.com, which holds the details."
    )


async def test_without_tls_nothing_is_sent_unless_it_is_allowed_and_a_password_never(context, tls):
    server = MailServer(tls, {"desk": "p@ss/word"}, offers_tls=False)

    refused = await mails(server, context)
    allowed = await mails(server, context, may_be_plain=True)
    with_password = await mails(server, context, may_be_plain=True, user="desk", password="p@ss/word")

    assert (refused.is_sent, allowed.is_sent, with_password.is_sent) == (False, True, False)
    assert refused.reason == "the mail server offers no TLS or no sign-in: use smtps://, or see NOTIFY_PLAINTEXT"
    assert server.passwords == []
    assert len(server.messages) == 1


REFUSALS = {
    "the password": ({}, {"user": "desk", "password": "wrong"}, "refused the user or the password (535)"),
    "every address": ({"RCPT": "550 no such user Canary"}, {}, "refused every address"),
    "the sender": ({"MAIL": "553 not you, Canary"}, {}, "refused the sender (553)"),
    "the message": ({"DATA": "554 spam by Canary"}, {}, "answered 554"),
    "anybody": ({"EHLO": "421 busy", "HELO": "421 busy"}, {}, "answered 421"),
}


@pytest.mark.parametrize(("refuses", "route", "says"), REFUSALS.values(), ids=REFUSALS)
async def test_what_a_mail_server_refuses_is_told_in_words_and_nothing_of_its_own(context, tls, refuses, route, says):
    result = await mails(MailServer(tls, {"desk": "right"}, refuses), context, **route)

    assert not result.is_sent
    assert says in result.reason
    assert "Canary" not in result.reason


async def test_where_one_address_is_refused_the_others_have_it(context, tls):
    server = MailServer(tls, refuses={"RCPT TO:<IT@CLINIC.EXAMPLE>": "550 no"})

    assert await mails(server, context) == SendResult(is_sent=True, reason="the server refused 1 of 2 addresses")


@pytest.mark.parametrize("verb", ["EHLO", "DATA"])
async def test_a_mail_server_that_hangs_is_given_a_deadline(context, tls, verb):
    result = await mails(MailServer(tls, hangs_at=verb), context)

    assert result == SendResult(is_sent=False, reason="no answer came within 0.2 s")


async def test_a_certificate_that_is_not_trusted_is_told_as_that(tls):
    result = await mails(MailServer(tls), ssl.create_default_context())

    assert "certificate is not trusted" in result.reason
