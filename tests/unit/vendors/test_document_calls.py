"""The calls that documents may have of an hour: whatever else wants them, a comparison finds some."""

import pytest

from app.errors import Unavailable
from app.sync.model import Lane
from app.vendors.drchrono.file_host import CALL as DOWNLOAD
from app.vendors.rate_limit.document_calls import DocumentCallLimit
from app.vendors.rate_limit.policy import HOUR_S, Allowance
from tests.unit.vendors.test_rate_limit import HOUR, START, Stand

LIST, SHARE = "GET /api/documents", 50


class OneHour:
    """The ledger of one hour, so far into it; it remembers what was promised."""

    def __init__(self, into_s=600):
        self.at, self.made, self.promised = START + into_s, 0, []

    async def read(self):
        return Stand(self.at, {HOUR: self.made})

    async def count(self, lane, admit):
        before = await self.read()
        hours, _, _ = admit(before)
        self.made += len(hours)
        return before, bool(hours)

    async def promise(self, lane, urgent, fits_at):
        self.promised.append(fits_at({HOUR: len(self.promised)}))
        return self.promised[-1]


def limit_of(hour):
    return DocumentCallLimit("drchrono", hour, Allowance(SHARE, 4))


async def calls(limit, lane):
    """Call until no call is admitted any more; gives how many were, and the refusal."""
    made = 0
    while True:
        try:
            await limit.on(lane)(LIST)
        except Unavailable as error:
            return made, error
        made += 1


async def test_a_first_load_and_many_lists_leave_calls_to_a_comparison():
    limit = limit_of(OneHour())

    loaded, _ = await calls(limit, Lane.BACKFILL)
    compared, _ = await calls(limit, Lane.COMPARE)

    assert loaded + compared < SHARE
    assert compared >= 4


async def test_at_the_end_of_the_hour_nothing_of_the_share_is_kept_back():
    limit = limit_of(OneHour(into_s=HOUR_S - 11))

    loaded, _ = await calls(limit, Lane.BACKFILL)

    assert loaded == SHARE
    assert await limit.left() == await limit.room(Lane.LIVE) == 0


async def test_whoever_finds_no_room_is_told_when_there_is_behind_those_that_were_told_before():
    hour = OneHour()
    limit = limit_of(hour)

    (_, first), (_, second) = await calls(limit, Lane.BACKFILL), await calls(limit, Lane.BACKFILL)

    assert first.cause == second.cause == "hour_is_spent"
    assert 0 < first.retry_in_s < second.retry_in_s < HOUR_S - 600


async def test_what_a_host_of_files_serves_is_no_call_of_the_share():
    limit = limit_of(OneHour())
    await calls(limit, Lane.LIVE)

    await limit.on(Lane.BACKFILL)(DOWNLOAD)

    with pytest.raises(Unavailable):
        await limit.on(Lane.BACKFILL)(LIST)
