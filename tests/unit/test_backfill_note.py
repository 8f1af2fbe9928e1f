"""What is not loaded yet is said in one line: what there is, what comes of it, when it was counted, what to run."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from app.operations.backfill import Counts, KindState, LoadState, Progress, note, summary
from app.store.backfills import Backfill
from app.sync.model import Kind, Side

AT = datetime(2026, 3, 5, 14, 10, tzinfo=UTC)
COUNTED = Counts(Counter({Side.DRCHRONO: 12_400, Side.SALESFORCE: 9_800}), matched=3_100, decide=Counter(several=40))


def patients(state=LoadState.NOT_LOADED, counts=None, **more):
    counted = Backfill(Kind.PATIENT, counts=counts.as_json(), counted_at=AT) if counts else Backfill(Kind.PATIENT)
    return KindState(Kind.PATIENT, "Contact", state, counted, **more)


def visits(state=LoadState.NOT_LOADED):
    return KindState(Kind.APPOINTMENT, "DrChrono_Appointment__c", state, Backfill(Kind.APPOINTMENT))


SEEN = "12,400 patients, 9,800 Contacts, 3,100 would match, 40 need a decision (counted 2026-03-05 14:10 UTC)"
READ = (Progress(Side.DRCHRONO, 5_000, 12_400), Progress(Side.SALESFORCE, 0))


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([patients(LoadState.LOADED), visits(LoadState.LOADED)], None),
        ([patients(), visits()], "not loaded yet: nobody has looked; run `chronobridge backfill --dry-run`"),
        ([patients(counts=COUNTED)], f"not loaded yet: {SEEN}; run `chronobridge backfill`"),
        (
            [patients(counts=COUNTED), visits()],
            f"not loaded yet: {SEEN}; appointments: nobody has looked; run `chronobridge backfill --dry-run`",
        ),
        (
            [patients(LoadState.LOADED), visits()],
            "not loaded yet: appointments: nobody has looked; run `chronobridge backfill --dry-run`",
        ),
        (
            [patients(LoadState.LOADING, progress=READ), visits(LoadState.LOADED)],
            "patients are being loaded: 5,000 of 12,400 of DrChrono, 0 of Salesforce gone through",
        ),
    ],
    ids=["loaded", "nobody looked", "counted", "half counted", "half loaded", "loading"],
)
def test_what_is_not_loaded_is_said_in_one_line(found, says):
    assert summary(found) == says


def test_what_is_being_loaded_asks_nothing_of_a_person():
    assert note([patients(LoadState.LOADING, progress=READ)])[1] is None


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        (Kind.PATIENT, "Contact", "2 Contacts"),
        (Kind.APPOINTMENT, "DrChrono_Appointment__c", "2 DrChrono_Appointment__c records"),
        (Kind.DOCUMENT, "ContentVersion", "2 Files"),
    ],
)
def test_what_there_is_is_called_as_people_call_it(kind, name, words):
    counted = Backfill(kind, counts=Counts(Counter({Side.SALESFORCE: 2})).as_json(), counted_at=AT)

    assert KindState(kind, name, LoadState.NOT_LOADED, counted).there[Side.SALESFORCE] == words
