"""The preview of another mapping says what it would write before it is used, and that is what it then writes."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console

from app.cli.mapping_preview import fitted_to_org, preview_mapping
from app.sync.mappings import file
from app.sync.model import Kind
from tests.flow.calendar import points_out

OTHER = """
extends = "default"

[patient]
fields.nick_name = { drchrono = "nick_name", salesforce = "Nick__c", codec = "text", owner = "salesforce" }
fields.email = { salesforce = "Second_Email__c" }
fields.home_phone = false
"""


@pytest.fixture
def other(clinic, tmp_path):
    """A mapping that adds a field, has another one in another field of Salesforce's, and drops one."""
    for name, kind in (("Nick__c", "string"), ("Second_Email__c", "email")):
        new = {"name": name, "kind": kind, "length": 80}
        clinic.salesforce.post("/_control/objects/Contact/fields", json=new).raise_for_status()
    (tmp_path / "other.toml").write_text(OTHER)
    return file.load(tmp_path / "other.toml")


async def previewed(clinic, other, limit=None):
    out = StringIO()
    assert await preview_mapping(clinic.runtime, Console(file=out), other, limit, as_json=True)
    said = json.loads(out.getvalue())
    return next(one for one in said["kinds"] if one["kind"] == "patient"), out.getvalue()


async def test_what_is_added_or_renamed_meets_for_the_first_time_and_empties_nothing(clinic, other):
    patient = await clinic.has_linked(nick_name="Canary", email="canary@example.com")
    clinic.salesforce.delete("/_control/writes")

    said, text = await previewed(clinic, other)

    assert said["mapping"] == {"home_phone": "dropped", "email": "other_fields", "nick_name": "added"}
    found = sorted((one["side"], one["field"], one["records"], one["emptied"]) for one in said["changes"])
    assert found == [("salesforce", "email", 1, 0), ("salesforce", "nick_name", 1, 0)]
    assert said["written_by_change"] == 1
    assert "Canary" not in text
    assert clinic.writes() == []

    clinic.runtime = await fitted_to_org(clinic.runtime, Console(file=StringIO()), other)
    await points_out(clinic, Kind.PATIENT)
    await clinic.settles()
    await clinic.time_passes(timedelta(minutes=2))  # DrChrono is asked once about a chart that says more than before
    await clinic.settles()

    contact = clinic.contact()
    assert (contact["Nick__c"], contact["Second_Email__c"]) == ("Canary", "canary@example.com")
    assert clinic.chart(patient)["email"] == "canary@example.com"


async def test_a_preview_goes_through_no_more_records_than_are_wanted(clinic, other):
    for name in ("Ada", "Ben", "Cleo"):
        await clinic.has_linked(first_name=name, nick_name=name)

    said, _ = await previewed(clinic, other, limit=2)

    assert said["read"] == {"drchrono": 2, "salesforce": 2}
    assert said["written_by_change"] == 2


async def test_a_field_that_is_not_there_is_told_and_nothing_is_gone_through(clinic, tmp_path):
    (tmp_path / "other.toml").write_text(OTHER)
    out = StringIO()

    went = await preview_mapping(
        clinic.runtime, Console(file=out, width=400), file.load(tmp_path / "other.toml"), None, as_json=False
    )

    assert not went
    assert "Contact.Nick__c is not there for the integration user" in out.getvalue()
