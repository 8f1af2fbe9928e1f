"""Notices: what people were told lately, how each channel does, and sending a test by all of them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby

from ulid import ULID

from app.log import log
from app.ports import Act, Action, By, ListPage, first_of
from app.runtime import Runtime
from app.store import audit, notices
from app.store.notices import SentNotice
from app.sync.notices import NoticeEvent, NoticeItem, NoticeState, in_order, title_of
from app.vendors.notices import EMAIL, SLACK, WEBHOOK, NoticeChannel, OutgoingNotice

CHANNEL_LABELS: Mapping[str, str] = {WEBHOOK: "signed webhook", SLACK: "Slack", EMAIL: "e-mail"}
_TEST = "This is a test"
_TEST_ADVICE = "Notices arrive by this channel; nothing is wrong, and there is nothing to do."


class DeliveryState(StrEnum):
    """What became of a notice by one channel."""

    SENT = "sent"
    PENDING = "pending"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class NoticeDelivery:
    """A notice by one channel. `reason`: why the last attempt did not send it, or what is to be said though it did."""

    channel: str
    state: DeliveryState
    attempts: int
    sent_at: datetime | None
    next_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class ToldNotice:
    """A notice, and what became of it by each channel."""

    id: str
    made_at: datetime
    title: str
    items: Sequence[NoticeItem]
    deliveries: Sequence[NoticeDelivery]


@dataclass(frozen=True, slots=True)
class ChannelTest:
    """What became of a test by one channel; `reason`: why it was not sent, in words."""

    channel: str
    is_sent: bool
    reason: str


async def told_lately(runtime: Runtime, limit: int, before: str | None = None) -> ListPage[ToldNotice]:
    """Give what people were told, newest first, older than an id where told.

    Raises  StoreUnavailable
    """
    rows = await notices.lately(runtime.database, limit + 1, before)
    found = [_told(list(ours)) for _, ours in groupby(rows, lambda row: row.id)]
    return first_of(found, limit, lambda one: one.id, await notices.count(runtime.database))


def _told(rows: Sequence[SentNotice]) -> ToldNotice:
    items = in_order(rows[0].items)
    return ToldNotice(rows[0].id, rows[0].made_at, title_of(items), items, [_delivery(row) for row in rows])


def _delivery(row: SentNotice) -> NoticeDelivery:
    waits = DeliveryState.GIVEN_UP if row.next_at is None else DeliveryState.PENDING
    state = waits if row.sent_at is None else DeliveryState.SENT
    return NoticeDelivery(row.channel, state, row.attempts, row.sent_at, row.next_at, row.reason)


def channels_in_words(runtime: Runtime) -> str:
    """Give every channel that the settings name, as a person lists them; empty where there is none."""
    names = [CHANNEL_LABELS[channel.name] for channel in runtime.channels]
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


async def send_test(runtime: Runtime, by: By) -> Sequence[ChannelTest]:
    """Send a test by every channel at once, and say what became of it; it is noted, and not kept among the notices.

    Raises  StoreUnavailable: it could not be noted, so nothing was sent
    """
    names = channels_in_words(runtime) or "no channel"
    await audit.record(runtime.database, Act(by, Action.TRY_OUT, f"notices by {names}", 0))
    item = NoticeItem(NoticeEvent.DIGEST, NoticeState.INFO, _TEST, _TEST_ADVICE, "/connections")
    test = OutgoingNotice(str(ULID()), runtime.now(), (item,))
    return await asyncio.gather(*(_tested(channel, test) for channel in runtime.channels))


async def _tested(channel: NoticeChannel, test: OutgoingNotice) -> ChannelTest:
    result = await channel.send(test)
    log.info("notice.tested", channel=channel.name, outcome="sent" if result.is_sent else "not_sent")
    return ChannelTest(channel.name, result.is_sent, result.reason)
