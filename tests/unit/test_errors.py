"""The error family: drawn whole, one disposition each, and never a record's value in a message."""

import inspect
import re

import pytest

import app.store.encryption
from app import errors
from app.errors import Disposition, SyncError, VendorError


def family():
    """Every class of the family that product code defines."""
    found = [SyncError]
    for parent in found:
        found += [child for child in parent.__subclasses__() if child.__module__.startswith("app.")]
    return {child.__name__: child for child in found}


FAMILY = family()
DRAWN = set(re.findall(r"[x+] (\w+)", errors.__doc__)) | {"SyncError"}
VENDOR = [name for name, error in FAMILY.items() if issubclass(error, VendorError)]
assert app.store.encryption.Undecryptable.__name__ in FAMILY  # the module is imported, so that its error is seen


@pytest.mark.parametrize("name", FAMILY)
def test_every_error_is_drawn_in_the_tree(name):
    assert name in DRAWN


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_every_error_in_the_tree_exists(name):
    assert issubclass(getattr(errors, name), SyncError)


@pytest.mark.parametrize("error", FAMILY.values(), ids=FAMILY.keys())
def test_every_error_answers_what_is_to_be_done(error):
    assert error.disposition in Disposition


def test_every_disposition_is_some_errors_answer():
    assert {error.disposition for error in FAMILY.values()} == set(Disposition)


@pytest.mark.parametrize("error", FAMILY.values(), ids=FAMILY.keys())
def test_every_error_says_what_it_means(error):
    assert inspect.getdoc(error)


@pytest.mark.parametrize(("name", "status"), [("DeliveryRefused", 400), ("SignatureInvalid", 401)])
def test_a_refused_delivery_knows_its_status(name, status):
    assert FAMILY[name].status == status


@pytest.mark.parametrize("name", VENDOR)
def test_a_vendors_error_says_side_call_status_and_code(name):
    error = FAMILY[name]("salesforce", "GET query", status=400, code="MALFORMED_QUERY")

    assert str(error) == "salesforce: GET query: 400 MALFORMED_QUERY"


@pytest.mark.parametrize("name", VENDOR)
def test_a_vendors_error_without_an_answer_says_its_class(name):
    assert str(FAMILY[name]("drchrono", "GET")) == f"drchrono: GET: {name}"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ({"status": 400, "code": "STRING_TOO_LONG"}, "STRING_TOO_LONG"),
        ({"status": 403}, "HTTP_403"),
        ({}, "Rejected"),
    ],
    ids=["code", "status", "neither"],
)
def test_a_cause_is_the_most_telling_of_code_status_and_class(answer, cause):
    assert errors.Rejected("salesforce", "PATCH", **answer).cause == cause


def test_a_throttled_call_carries_the_vendors_wait():
    assert errors.Unavailable("drchrono", "GET", status=429, retry_in_s=12.5).retry_in_s == 12.5
