"""DrChrono's webhook: the header is the secret itself, and the verification is an HMAC under the first secret."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.vendors.drchrono.wire import is_genuine, verification

SAMPLES = Path(__file__).parents[2] / "samples" / "drchrono"
NEW, OLD = "synthetic-webhook-secret-0123456789abcdef", "an-older-webhook-secret"
VERIFICATION = json.loads((SAMPLES / "webhook_verification.json").read_text())
HEADERS = st.text(st.characters(max_codepoint=255), max_size=80)


def genuine_sample():
    return json.loads((SAMPLES / "webhook_patient_create.json").read_text())["headers"]["X-drchrono-signature"]


def test_a_delivery_as_drchrono_sends_it_is_genuine():
    assert is_genuine(genuine_sample(), (NEW,))


@pytest.mark.parametrize("signature", [NEW, OLD], ids=["new", "old"])
def test_during_rotation_both_secrets_are_genuine(signature):
    assert is_genuine(signature, (NEW, OLD))


@pytest.mark.parametrize(
    "signature",
    [None, "", NEW[:-1], NEW + "0", NEW.upper(), f" {NEW}", OLD],
    ids=["absent", "empty", "short", "long", "other case", "blank before", "retired"],
)
def test_anything_else_is_not_genuine(signature):
    assert not is_genuine(signature, (NEW,))


@given(signature=HEADERS)
def test_no_header_a_server_can_hand_over_raises_or_passes(signature):
    assert is_genuine(signature, (NEW,)) is (signature == NEW)


@pytest.mark.parametrize("secrets", [(), ("",)], ids=["none", "empty"])
@pytest.mark.parametrize("signature", [None, "", "a"])
def test_without_a_secret_nothing_is_genuine(secrets, signature):
    assert not is_genuine(signature, secrets)


def test_the_verification_answers_as_drchrono_expects():
    msg, secret = VERIFICATION["request"]["query"]["msg"], VERIFICATION["secret_token"]

    assert verification(msg, (secret,)) == VERIFICATION["response"]["body"]


def test_the_verification_is_answered_under_the_first_secret():
    both, first, last = (verification("a", secrets) for secrets in ((NEW, OLD), (NEW,), (OLD,)))

    assert both == first != last
