"""Every shipped kind: what one side holds, written to the other, reads back as no change."""

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sync.mappings.table import Direction
from app.sync.model import Kind, Side
from tests.build import with_documents

MAPPINGS = with_documents()
KINDS = pytest.mark.parametrize("kind", Kind, ids=[kind.value for kind in Kind])
ZONES = st.sampled_from(["US/Eastern", "US/Pacific", "US/Arizona", "America/Denver", "US/Hawaii"])
WALLS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(microsecond=0).isoformat())  # noqa: DTZ001
IDS = st.integers(1, 10**12)
VALUES = {
    "text": st.none() | st.text(max_size=20),
    "joined": st.none() | st.text(max_size=20),
    "email": st.none() | st.text(max_size=20),
    "phone": st.none() | st.text(alphabet="0123456789 ()-+x", max_size=20),
    "enum": st.sampled_from(["", "Male", "Female", "UNK"]),
    "date": st.none() | st.dates().map(str),
    "number": st.none() | st.integers(-(10**6), 10**6) | st.decimals(-1000, 1000, places=2).map(str),
    "flag": st.none() | st.booleans(),
    "state": st.sampled_from(["", "NY", "ny", "New York", "Québec", "ZZ", "Atlantis"]),
    "title": st.none() | st.text(max_size=20),
    "tags": st.none() | st.lists(st.text(max_size=9), max_size=3).map(json.dumps),
    "reference": IDS,
    "local_time": WALLS,
}


@st.composite
def records(draw, kind):
    """A record as DrChrono writes one."""
    rows = sorted(MAPPINGS[kind].rows.values(), key=lambda row: len(row.sources))  # what has one field is drawn first
    raw = {}
    for row in rows:
        for source in row.sources:
            is_times_own = source in raw and row.codec.name != "local_time"
            if not is_times_own:
                raw[source] = draw(VALUES[row.codec.name])
    return raw


def as_salesforce_shows(table, raw):
    """What Salesforce shows of what it was sent: a look-up that was emptied shows as an empty relationship."""
    shown = dict(raw)
    for row in table.rows.values():
        if row.parent and row.shown(Side.SALESFORCE) in shown:
            shown[row.names[Side.SALESFORCE]] = shown.pop(row.shown(Side.SALESFORCE))
    return shown


@KINDS
@given(data=st.data(), zone=ZONES)
def test_what_salesforce_took_reads_back_as_no_change(kind, data, zone):
    table = MAPPINGS[kind]
    here = table.read(
        Side.DRCHRONO, "1", data.draw(records(kind)), version="", confirmed=True, zone=zone if table.zoned else ""
    )
    raw, refused = table.write(Side.SALESFORCE, here.fields, here.zone)

    there = table.read(
        Side.SALESFORCE, "2", as_salesforce_shows(table, raw), version="", confirmed=True, zone="Pacific/Auckland"
    )

    assert there.unreadable == {}
    for name, value in here.fields.items():
        if name not in refused:
            assert table.rows[name].equal(there.fields[name], value), name


@KINDS
@given(data=st.data(), zone=ZONES)
def test_what_drchrono_took_reads_back_as_no_change(kind, data, zone):
    table = MAPPINGS[kind]
    here = table.read(Side.DRCHRONO, "1", data.draw(records(kind)), version="", confirmed=True, zone=zone)
    both = {name: value for name, value in here.fields.items() if table.rows[name].direction is Direction.BOTH}
    raw, refused = table.write(Side.DRCHRONO, both)

    there = table.read(Side.DRCHRONO, "1", raw, version="", confirmed=True)

    for name, value in both.items():
        if name not in refused:
            assert table.rows[name].equal(there.fields[name], value), name


@KINDS
def test_every_row_has_a_place_on_both_sides_of_the_table(kind):
    table = MAPPINGS[kind]

    assert table.kind is kind
    assert all(row.selected and row.sources for row in table.rows.values())


def test_a_lookup_is_written_by_its_relationship_and_emptied_by_its_own_name():
    table = MAPPINGS[Kind.APPOINTMENT]

    assert table.write(Side.SALESFORCE, {"patient": "7"})[0] == {"Patient__r": {"DrChrono_Patient_Id__c": "7"}}
    assert table.write(Side.SALESFORCE, {"patient": None})[0] == {"Patient__c": None}
    assert table.write(Side.DRCHRONO, {"patient": "7"})[0] == {"patient": 7}


def test_a_parent_that_carries_no_id_is_named_by_its_own():
    raw = {"Patient__r": {"DrChrono_Patient_Id__c": None, "Id": "003SYN000000001YBA"}}

    snapshot = MAPPINGS[Kind.APPOINTMENT].read(Side.SALESFORCE, "a01", raw, version="", confirmed=True)

    assert snapshot.unreadable == {"patient": "parent_not_linked"}
    assert snapshot.unlinked == {"patient": "003SYN000000001YBA"}


def test_an_instant_somebody_moved_is_read_by_the_clock_that_counts_now():
    raw = {
        "Start__c": "2026-12-03T18:00:00.000+0000",
        "Local_Start__c": "2026-12-01T10:30:00",
        "Time_Zone__c": "US/Eastern",
    }

    snapshot = MAPPINGS[Kind.APPOINTMENT].read(
        Side.SALESFORCE, "a01", raw, version="", confirmed=True, zone="US/Pacific"
    )

    assert snapshot.fields["scheduled_time"] == "2026-12-03T10:00:00"


@pytest.mark.parametrize("local", ["9999-12-31T23:00:00", "0001-01-01T00:30:00"])
@pytest.mark.parametrize("zone", ["US/Eastern", "Pacific/Auckland"])
def test_the_ends_of_the_calendar_are_refused_by_name_or_carried(local, zone):
    table = MAPPINGS[Kind.APPOINTMENT]

    raw, refused = table.write(Side.SALESFORCE, {"scheduled_time": local}, zone)
    given = {"Start__c": f"{local}Z", "Local_Start__c": local, "Time_Zone__c": zone}
    snapshot = table.read(Side.SALESFORCE, "a01", given, version="", confirmed=True, zone=zone)

    assert refused in ({"scheduled_time": "date_out_of_range"}, {"scheduled_time": "not_a_local_time"})
    assert bool(raw) is not bool(refused)
    assert snapshot.fields.get("scheduled_time") or snapshot.unreadable["scheduled_time"] in (
        "not_an_instant",
        "not_a_local_time",
    )
    assert table.flags({"scheduled_time": local}, zone) == {}


@pytest.mark.parametrize("name", ["patient", "doctor", "office", "exam_room", "scheduled_time", "duration"])
def test_what_drchrono_does_not_do_without_is_never_emptied_there(name):
    assert MAPPINGS[Kind.APPOINTMENT].write(Side.DRCHRONO, {name: None}) == ({}, {name: "cannot_be_empty"})
