"""Sync status: what Salesforce's records show people of how they are synced is written back, by as few calls as may be.

Two hundred records a call, thousands by a job, in the lane of comparing, one worker at a time. A status that changed is
written at the next look; where only the moment of the last sync did, and of what a first load or a comparison brought,
after a minute, with all that gathered until then. A write tells of nothing that travels, so it is neither journalled
nor seen as a change; whatever becomes of it is tried again when the record's state is saved next.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from app.errors import OutcomeUnknown, StoreUnavailable, SyncError
from app.log import log
from app.operations.records import vendor_pages
from app.runtime import Runtime
from app.store import lanes, schedules
from app.store import sync_status as statuses
from app.store.clock import millis
from app.store.sync_status import DueStatus
from app.sync.failure_causes import look_up
from app.sync.model import BULKY, Kind, Lane, RecordState, RefusalScope, Side
from app.sync.sync_status import (
    CHART_URL,
    KINDS_WITH_STATUS,
    RECORD_URL,
    STATUS_FIELDS,
    SYNC_MESSAGE,
    SYNC_STATUS,
    SYNCED_AT,
    StatusText,
    status_of,
)
from app.vendors.salesforce.wire import RecordRefused, Saved, moment
from workers.bulk_jobs import update_by_job

LOOK_EVERY_S = 5.0
_NAME = "sync_status"
_MOST_LOOKED_AT, _IN_A_CALL = 1000, 200
_URGENT = frozenset(Lane) - BULKY
_GATHERS = timedelta(minutes=1)
_TURN, _AFTER_A_FAILURE, _AFTER_A_REFUSAL = timedelta(minutes=1), timedelta(minutes=1), timedelta(minutes=10)
_NOT_A_WORD = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
_ADVICE = "let the integration user edit the fields, by its permission set; or set SALESFORCE_STATUS_FIELDS=false"


async def write_statuses_when_due(runtime: Runtime) -> None:
    """Have Salesforce's records show how they are synced, where the org has the fields for it and we may call it.

    Raises  StoreUnavailable
    """
    if runtime.salesforce is None or not runtime.settings.salesforce_status_fields:
        return
    kinds = [kind for kind in KINDS_WITH_STATUS if kind in runtime.mappings and runtime.mappings[kind].shows_status]
    if not kinds or not await statuses.are_due(runtime.database, kinds):
        return
    if await lanes.is_paused(runtime.database, Lane.COMPARE) or await runtime.salesforce.budget.wait(Lane.COMPARE):
        return
    if not await schedules.try_claim(runtime.database, _NAME, _TURN):
        return
    again_in = timedelta(seconds=LOOK_EVERY_S)
    try:
        for kind in kinds:
            await write_statuses(runtime, kind)
    except StoreUnavailable:
        raise
    except _Refused as refused:
        again_in = _AFTER_A_REFUSAL
        log.warning("status.refused", side=Side.SALESFORCE.value, cause=refused.code, advice=_ADVICE)
    except SyncError as error:
        again_in = _AFTER_A_FAILURE
        log.info("status.not_written", side=Side.SALESFORCE.value, error=type(error).__name__, cause=str(error))
    await schedules.again_in(runtime.database, _NAME, again_in)


async def write_statuses(runtime: Runtime, kind: Kind) -> None:
    """Write what records of a kind are to show, of those that have been due for longest.

    Raises  SyncError; StoreUnavailable
    """
    assert runtime.salesforce is not None
    patience = runtime.salesforce.patience
    urgent = [
        one
        for one in await _differing(runtime, kind, _URGENT, _MOST_LOOKED_AT)
        if one.is_news or one.due.age >= _GATHERS
    ]
    gathered = await _differing(runtime, kind, BULKY, patience.most, _GATHERS)
    for some in (urgent, gathered):
        size = _IN_A_CALL if len(some) <= patience.above else len(some)
        for at in range(0, len(some), size):
            await _write(runtime, kind, some[at : at + size])


async def _differing(
    runtime: Runtime, kind: Kind, lanes: Collection[Lane], limit: int, gathers: timedelta = timedelta(0)
) -> list["_Said"]:
    """Give the records of these lanes that show something else than they are to; of the rest it is kept that they do.

    gathers  none before one of them has waited for so long
    """
    due = await statuses.due(runtime.database, kind, lanes, limit, gathers)
    found = [_Said(one, _text(runtime, one)) for one in due]
    await statuses.shown(runtime.database, [one.as_shown for one in found if one.is_shown])
    return [one for one in found if not one.is_shown]


@dataclass(frozen=True, slots=True)
class _Said:
    """What a record is to show, beside what it shows."""

    due: DueStatus
    text: StatusText

    @property
    def as_shown(self) -> tuple[DueStatus, str]:
        """What is kept once it is shown: what was said, and the moment of the last sync."""
        synced_at = self.due.view.synced_at
        return self.due, f"{self.text.digest} {'' if synced_at is None else millis(synced_at)}"

    @property
    def is_shown(self) -> bool:
        return self.due.shown == self.as_shown[1]

    @property
    def is_news(self) -> bool:
        """Whether more than the moment of the last sync differs from what is shown."""
        return self.due.shown.partition(" ")[0] != self.text.digest

    @property
    def record(self) -> dict[str, Any]:
        """What is written."""
        view, synced_at = self.due.view, self.due.view.synced_at
        return {
            "id": view.link.salesforce_id,
            SYNC_STATUS: self.text.status.value,
            SYNC_MESSAGE: self.text.message or None,
            SYNCED_AT: None if synced_at is None else moment(synced_at),
            RECORD_URL: self.text.record_url,
            CHART_URL: self.text.chart_url or None,
        }


class _Refused(Exception):  # noqa: N818
    """The org takes no status of any record: a permission or a field is not there."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def _write(runtime: Runtime, kind: Kind, part: Sequence[_Said]) -> None:
    """Write what some records are to show, in one call, or by one job where they are too many for that.

    Raises  _Refused, SyncError
    """
    assert runtime.salesforce is not None
    org, name, records = (
        runtime.salesforce.on(Lane.COMPARE),
        runtime.mappings[kind].object,
        [one.record for one in part],
    )
    answers: Sequence[Saved | RecordRefused | OutcomeUnknown | None]
    if len(part) > org.patience.above:
        answered = await update_by_job(org, name, records)
        answers = [answered.get(record["id"]) for record in records]
    else:
        answers = await org.update(name, records)
    refused = [answer for answer in answers if isinstance(answer, RecordRefused)]
    of_all = next((answer for answer in refused if _is_about_all(answer)), None)
    # what a record refuses is not said again until its state changes
    ended = Saved if of_all is not None else Saved | RecordRefused
    done = [one.as_shown for one, answer in zip(part, answers, strict=True) if isinstance(answer, ended)]
    await statuses.shown(runtime.database, done)
    if of_all is not None:
        raise _Refused(of_all.code)
    for code, count in Counter(answer.code for answer in refused).items():
        log.info("status.not_taken", kind=kind.value, cause=code, records=count)


def _is_about_all(refused: RecordRefused) -> bool:
    """Say whether a refusal is none of the record's own: a field or a permission is not there, or the org is ill.

    A word that the org's picklist lacks, because an older package is deployed there, is refused of those it is about.
    """
    if refused.code == _NOT_A_WORD:
        return False
    return bool(STATUS_FIELDS & {*refused.fields}) or look_up(refused.code).scope is not RefusalScope.RECORD


def _text(runtime: Runtime, one: DueStatus) -> StatusText:
    """Give what a record is to show."""
    view, link, settings = one.view, one.view.link, runtime.settings
    cause = view.last_error if view.standing is RecordState.ON_ITS_WAY else view.cause
    record_url = f"{settings.public_url}/records/{Side.SALESFORCE}/{link.kind}/{link.salesforce_id}"
    chart_url = vendor_pages(runtime, link.kind, {Side.DRCHRONO: link.drchrono_id}).get(Side.DRCHRONO, "")
    text = status_of(view.standing, cause, view.fields, link.excluded_by)
    return replace(text, record_url=record_url, chart_url=chart_url)
