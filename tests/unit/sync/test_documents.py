"""Documents: a title with its date and back, tags, whose a File is, and what of a mapping is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.errors import Misconfigured
from app.sync.document_file import FileFacts
from app.sync.documents import Placement, is_given_up, placed, without_inherited_key
from app.sync.mappings import file
from app.sync.mappings.codecs import Options, Unfit
from app.sync.mappings.document_codecs import TAGS, TITLE, replacement_in, with_replacement
from app.sync.model import Base, Deleted, Kind, Link, Side, Snapshot
from app.sync.snapshots import SideReader
from tests.build import mapping_with_documents, with_documents

ANY = Options()
TABLE = with_documents()[Kind.DOCUMENT]
ZONE = ZoneInfo("America/New_York")
HERE, THERE = "003SYN000000001YBA", "003SYN000000002YBA"
VERSION = Snapshot(
    "068SYN000000001YBA",
    {"title": "Letter", "date": None},
    file=FileFacts("069SYN000000001YBA", contact_id=HERE, created_at="2026-11-04T02:00:00.000+0000"),
)
LONE, PAIR = (Link("L", Kind.DOCUMENT, id_, VERSION.id, Base()) for id_ in (None, "77"))


@pytest.mark.parametrize(
    ("described", "title"),
    [
        (("Referral letter", "2026-11-03"), "Referral letter (2026-11-03)"),
        (("Scan (2026-01-02)", "2026-11-03"), "Scan (2026-01-02) (2026-11-03)"),
        (("Letter [replaced by document 88]", "2026-11-03"), "Letter (2026-11-03)"),
        (("", "2026-11-03"), "Document (2026-11-03)"),
        (("Letter", None), "Letter"),
        (("Letter", "soon"), "Letter"),
    ],
)
def test_a_title_is_the_description_with_the_date_behind_it(described, title):
    assert TITLE.read(Side.DRCHRONO, described, ANY) == title


def test_the_date_that_we_put_behind_a_title_is_no_edit_and_goes_back_nowhere():
    ours = TITLE.read(Side.DRCHRONO, ("Letter", "2026-11-03"), ANY)

    assert TITLE.normal(ours) == TITLE.normal("Letter") == TITLE.normal("Letter (2026-12-24)")
    assert TITLE.write(Side.DRCHRONO, "Letter (2026-12-24)", ANY) == "Letter"


def test_what_replaces_a_document_is_said_once_and_read_back():
    said = with_replacement(with_replacement("Letter", "88"), "99")

    assert (said, replacement_in(said), replacement_in("Letter")) == ("Letter [replaced by document 99]", "99", None)


@pytest.mark.parametrize(
    ("raw", "tags"),
    [('["b", "a", "b"]', "b, a"), (["a"], "a"), ("", None), (None, None), ("[]", None), ('[" a ", ""]', "a")],
)
def test_drchronos_tags_are_a_list_in_a_text(raw, tags):
    assert TAGS.read(Side.DRCHRONO, raw, ANY) == tags


@pytest.mark.parametrize(
    ("raw", "why"),
    [("a, b", "not_tags"), ('{"a": 1}', "not_tags"), ("[1]", "not_tags"), ('["a, b"]', "tag_with_comma")],
)
def test_what_is_no_list_of_tags_is_refused_by_name(raw, why):
    with pytest.raises(Unfit, match=why):
        TAGS.read(Side.DRCHRONO, raw, ANY)


def test_tags_are_the_same_in_any_order_and_case_and_go_back_as_a_list():
    there = TAGS.read(Side.SALESFORCE, "Lab; share with crm,Lab", ANY)

    assert there == "Lab, share with crm"
    assert TAGS.normal(there) == TAGS.normal("Share with CRM, Lab")
    assert TAGS.write(Side.DRCHRONO, there, ANY) == '["Lab", "share with crm"]'


@pytest.mark.parametrize(
    ("metatags", "is_shared"),
    [('["Share with CRM"]', True), ('["share with crm"]', True), ('["Lab"]', False), ("", False)],
)
def test_a_document_without_a_tag_that_shares_it_is_left_out(metatags, is_shared):
    read = TABLE.read(Side.DRCHRONO, "77", {"metatags": metatags}, version="", confirmed=True)

    assert read.is_included is is_shared


@pytest.mark.parametrize(
    ("link", "where", "patient", "why"),
    [
        pytest.param(LONE, Placement({HERE: "7"}), "7", None, id="on one patient's record"),
        pytest.param(LONE, Placement({HERE: "7", THERE: "8"}), "7", None, id="on several, uploaded for one"),
        pytest.param(LONE, Placement({THERE: "8", HERE: None}), "8", None, id="only one is linked"),
        pytest.param(LONE, Placement({}), None, "file_on_no_patient", id="on nobody's"),
        pytest.param(LONE, Placement({THERE: None}), None, "parent_not_linked", id="on one who is not linked"),
        pytest.param(PAIR, Placement({HERE: "7", THERE: "8"}, ("8", THERE), True), "8", None, id="stays whose it was"),
        pytest.param(PAIR, Placement({THERE: "8"}, ("7", HERE), True), "8", None, id="moved to another"),
        pytest.param(
            PAIR, Placement({THERE: "8"}, ("7", HERE), False), "7", None, id="its patient's record was merged"
        ),
        pytest.param(PAIR, Placement({}, ("7", HERE), False), "7", None, id="its patient's record is gone"),
    ],
)
def test_a_file_is_the_document_of_the_patient_whose_record_it_is_on(link, where, patient, why):
    found = placed(TABLE, link, VERSION, where)

    assert isinstance(found, Snapshot)
    assert (found.fields.get("patient"), found.unreadable.get("patient")) == (patient, why)


def test_a_file_on_several_patients_records_and_uploaded_for_none_of_them_waits_for_a_person():
    elsewhere = replace(VERSION, file=replace(VERSION.file, contact_id=None))

    found = placed(TABLE, LONE, elsewhere, Placement({HERE: "7", THERE: "8"}))

    assert found.unreadable == {"patient": "file_of_several_patients"}


def test_a_file_that_was_taken_off_its_patients_record_counts_as_deleted():
    assert placed(TABLE, PAIR, VERSION, Placement({}, ("7", HERE), is_there=True)) == Deleted()


@pytest.mark.parametrize(("given", "day"), [(None, "2026-11-03"), ("2026-10-01", "2026-10-01")])
def test_a_file_without_a_date_is_of_the_clinics_day_on_which_it_was_uploaded(given, day):
    raw = {"Id": VERSION.id, "DrChrono_Date__c": given, "CreatedDate": "2026-11-04T02:00:00.000+0000"}

    assert SideReader(TABLE, clinic=ZONE).salesforce(raw).fields["date"] == day


def test_bytes_that_are_not_there_are_waited_for_six_hours():
    heard = datetime(2026, 11, 3, 12, tzinfo=UTC)

    assert [is_given_up(heard, heard + timedelta(hours=hours)) for hours in (5, 7)] == [False, True]


def test_an_id_that_is_another_versions_names_nothing():
    named = replace(VERSION, key="77")

    assert (without_inherited_key(named, {"77"}).key, without_inherited_key(named, {"78"}).key) == (None, "77")


@pytest.mark.parametrize(
    ("line", "instead", "says"),
    [
        ('tags = ["Share with CRM"]', 'tags = "Share"', "key tags: must be a list of texts"),
        ('tags = ["Share with CRM"]', 'tags = ["a, b"]', "key tags: a, b has a comma"),
        ('types = ["pdf", "png", "jpeg", "tiff"]', 'types = ["docx"]', "key types: docx is unknown"),
        (
            'drchrono = "archived",         salesforce',
            'drchrono = "doctor",         salesforce',
            "must map DrChrono's archived",
        ),
        ('drchrono = "patient", ', 'drchrono = "doctor", ', "must map DrChrono's patient"),
    ],
)
def test_a_mapping_of_documents_that_makes_no_sense_is_refused_by_key(tmp_path, line, instead, says):
    place = mapping_with_documents(tmp_path / "mapping.toml")
    whole = place.read_text()
    assert line in whole
    place.write_text(whole.replace(line, instead))

    with pytest.raises(Misconfigured) as refused:
        file.load(place)

    assert "table [document]" in str(refused.value)
    assert says in str(refused.value)
