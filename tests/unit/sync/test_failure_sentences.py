"""Whatever is wrong with a record, a person is told it in one whole sentence, with the labels of the fields."""

import re

import pytest

from app.sync.failure_causes import CAUSES
from app.sync.failure_sentences import labels, sentence
from app.sync.mappings import file
from app.sync.model import Kind, Side

TABLE = file.load(None)[Kind.PATIENT]


@pytest.mark.parametrize("fields", [(), ("first name",), ("email", "cell phone", "Acme.ContactTrigger")])
def test_every_cause_has_a_sentence_with_and_without_fields(fields):
    causes = (*CAUSES, "overlaps_5", "HTTP_502", "ReadTimeout", "SOMETHING_ELSE")

    said = {sentence(cause, side, Kind.PATIENT, fields) for cause in causes for side in Side}

    assert [text for text in said if not text.endswith(".") or "{" in text or "  " in text] == []
    assert [text for text in said if not text[0].isupper()] == []


@pytest.mark.parametrize(
    ("cause", "fields", "said"),
    [
        ("cannot_be_empty", ("first name",), "DrChrono needs a first name."),
        ("missing_for_drchrono", ("email", "gender"), "DrChrono needs an email and a gender."),
        ("held", ("cell phone",), "Both systems changed the cell phone."),
        ("STRING_TOO_LONG", ("city",), "Salesforce does not accept the city."),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", (), "A validation rule in Salesforce rejects this patient."),
        (
            "CANNOT_EXECUTE_FLOW_TRIGGER",
            ("Check_Phone",),
            "A rule or an automation in Salesforce rejects this patient (Check_Phone).",
        ),
    ],
)
def test_a_sentence_reads_as_a_person_says_it(cause, fields, said):
    assert sentence(cause, Side.SALESFORCE, Kind.PATIENT, fields) == said


def test_a_field_is_called_as_the_mapping_calls_it_whichever_side_names_it():
    assert labels(TABLE, Side.SALESFORCE, ["MobilePhone", "Acme__c"]) == ("cell phone", "Acme__c")
    assert labels(TABLE, Side.DRCHRONO, ["cell_phone"]) == ("cell phone",)
    assert labels(None, Side.SALESFORCE, ["Email"]) == ("Email",)


_OF_DOCUMENTS = """gone_in_drchrono gone_in_salesforce parent_missing parent_dismissed parent_not_linked id_refused
    contact_of_another_link create_unanswered create_unsettled not_tags tag_with_comma OTHER_RECORD UNKNOWN HTTP_403
    unexpected_error nothing_to_create"""


@pytest.mark.parametrize("side", Side)
def test_of_a_document_a_sentence_speaks_of_it_or_its_file_and_of_no_contact_or_chart(side):
    own = [cause for cause in CAUSES if cause.startswith(("document_", "file_", "scanner_"))]

    said = {cause: sentence(cause, side, Kind.DOCUMENT) for cause in (*own, *_OF_DOCUMENTS.split())}

    assert {cause: text for cause, text in said.items() if not re.search("document|File", text)} == {}
    assert {cause: text for cause, text in said.items() if re.search("Contact|chart|appointment|record ", text)} == {}


def test_of_an_upload_without_an_answer_the_side_is_named_that_was_to_take_it():
    said = {sentence("create_unanswered", side, Kind.DOCUMENT) for side in Side}

    assert said == {
        "DrChrono did not answer when this document was to be created.",
        "Salesforce did not answer when this document was to be created.",
    }
