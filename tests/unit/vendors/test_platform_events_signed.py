"""A signed body: `t=SECONDS,v1=HEX` over `SECONDS.body`, fresh, under one of the keys."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.vendors.salesforce.platform_events import is_signed

KEY, NEXT, OTHER = (letter * 32 for letter in (b"a", b"b", b"c"))
BODY, NOW_S = b'{"recordId": "003SYN000000001YBA"}', 1_795_187_045.5


def signed(body=BODY, key=KEY, at_s=int(NOW_S)):
    return f"t={at_s},v1={hmac.new(key, f'{at_s}.'.encode() + body, hashlib.sha256).hexdigest()}"


def holds(header, body=BODY, keys=(KEY,), now_s=NOW_S):
    return is_signed(header, body, keys, now_s)


def test_a_fresh_signature_holds():
    assert holds(signed())


@pytest.mark.parametrize(
    ("age_s", "is_fresh"),
    [(0, True), (299, True), (300, True), (301, False), (-300, True), (-301, False), (9**9, False)],
)
def test_a_signature_is_fresh_for_five_minutes_either_way(age_s, is_fresh):
    header = signed(at_s=1_795_187_045)

    assert holds(header, now_s=1_795_187_045.0 + age_s) is is_fresh


@pytest.mark.parametrize("key", [KEY, NEXT])
def test_either_key_of_a_rotation_holds(key):
    assert holds(signed(key=key), keys=(NEXT, KEY))


@pytest.mark.parametrize("keys", [(), (OTHER,), (NEXT, OTHER)], ids=["none", "one", "two"])
def test_another_key_does_not_hold(keys):
    assert not holds(signed(), keys=keys)


def test_another_body_does_not_hold():
    assert not holds(signed(), body=BODY + b" ")


def test_another_time_does_not_hold():
    moved = signed().replace(f"t={int(NOW_S)}", f"t={int(NOW_S) + 1}")

    assert not holds(moved)


@pytest.mark.parametrize(
    "header",
    [None, "", "t=1", signed().split(",")[1], signed().upper(), signed() + " ", " " + signed(), signed() + ",v1=00",
     signed()[:-1], signed() + "0", signed().replace("v1", "v0"), signed().replace("t=", "t=-"),
     signed().replace("t=1", "t=\u0661"), signed() + "\n", "t=" + "9" * 13 + ",v1=" + "0" * 64],
    ids=repr,
)  # fmt: skip
def test_a_header_of_another_form_does_not_hold(header):
    assert not holds(header)


@given(header=st.none() | st.text() | st.from_regex(r"\At=\d{1,12},v1=[0-9a-f]{64}\Z"), body=st.binary())
def test_no_guess_holds_and_none_raises(header, body):
    assert not holds(header, body=body)


@given(body=st.binary(), key=st.binary(min_size=32, max_size=32), at_s=st.integers(0, 10**12 - 1))
def test_whatever_is_signed_holds_at_its_moment_and_under_its_key_alone(body, key, at_s):
    header = signed(body, key, at_s)

    assert is_signed(header, body, [key], float(at_s))
    assert not is_signed(header, body, [bytes(32) if any(key) else b"1" * 32], float(at_s))
