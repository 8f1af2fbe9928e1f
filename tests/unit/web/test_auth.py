"""Who asks: the role of a token, what a bearer is, which cookies are ours, and which requests were meant."""

import asyncio
from types import SimpleNamespace

import pytest
from cryptography.fernet import Fernet
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from app.operations.accounts import Role
from app.operations.sign_in import Caller, SignIn
from app.runtime import Runtime
from app.store.database import Database
from app.store.encryption import Vault
from app.vendors.salesforce.org_description import OrgMappings
from app.wakeup import Wakeup
from app.web.auth import CSRF_FIELD, caller_of, is_from_elsewhere, is_meant
from tests.build import KEY, KEYS, NEEDED

OPERATOR = NEEDED["OPERATOR_TOKEN"]
VIEWER = "viewer-token-of-enough-characters"
SESSION_KEY, OTHER_KEY = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture
def access_of(said, tmp_path):
    """Gives what knows the tokens of these settings; its database cannot be opened, so nothing here may ask it."""

    def opened(**variables):
        settings = said(**{"VIEWER_TOKEN": VIEWER, **variables})
        database, vault = Database(f"sqlite+aiosqlite:///{tmp_path}/no/no"), Vault((KEY.encode(),))
        return SignIn(Runtime(settings, database, vault, KEYS, OrgMappings({}), Wakeup(None, lambda: None), None, None))

    return opened


@pytest.fixture
def access(access_of):
    return access_of()


COOKIE = "chronobridge_session"
BY_HTTP = SimpleNamespace(is_secure=False)


def a_request(method="POST", settings=BY_HTTP, sign_in=None, **headers):
    """A request with these headers; `_` stands for a hyphen."""
    given_ = [
        (name.replace("_", "-").encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in headers.items()
    ]
    app = SimpleNamespace(state=SimpleNamespace(runtime=SimpleNamespace(settings=settings), sign_in=sign_in))
    scope = {"type": "http", "method": method, "path": "/", "query_string": b"", "headers": given_, "app": app}
    return Request({**scope, "scheme": "http", "server": ("127.0.0.1", 8000)})


@pytest.mark.parametrize(("token", "role"), [(OPERATOR, Role.OPERATOR), (VIEWER, Role.VIEWER)])
async def test_a_token_stands_for_its_role(access, token, role):
    assert await access.bearer(token) == Caller(role, name=role.value)


@pytest.mark.parametrize("token", ["", " ", OPERATOR[:-1], OPERATOR + "x", OPERATOR.upper(), f"{OPERATOR} ", "é"])
async def test_any_other_token_is_a_strangers(access, token):
    assert await access.bearer(token) is None


@given(token=st.text())
def test_no_text_crashes_the_look_at_a_token(access, token):
    assert asyncio.run(access.bearer(token)) is None


async def test_without_a_viewers_token_there_are_no_viewers(access_of):
    access = access_of(VIEWER_TOKEN=None)

    assert (await access.bearer(OPERATOR)).role is Role.OPERATOR
    assert await access.bearer(VIEWER) is None


def test_a_print_does_not_show_its_token_and_differs_by_key(access_of):
    ours, theirs = access_of(SESSION_KEY=SESSION_KEY), access_of(SESSION_KEY=OTHER_KEY)

    again = access_of(SESSION_KEY=SESSION_KEY)
    prints = [[one.print for one in it.accounts.known] for it in (ours, again, theirs)]
    assert OPERATOR not in repr(vars(ours)) + repr(vars(ours.accounts))
    assert prints[0] == prints[1]
    assert not set(prints[0]) & set(prints[2])


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_bearer_is_known_by_its_token_and_needs_no_csrf(access, scheme):
    found = await caller_of(a_request(sign_in=access, authorization=f"{scheme} {OPERATOR}"))

    assert found == Caller(Role.OPERATOR, None, name="operator")


@pytest.mark.parametrize(
    "given_", ["Bearer", "Bearer ", "Bearer wrong", f"Basic {OPERATOR}", OPERATOR, f"Token {OPERATOR}"], ids=repr
)
async def test_any_other_authorization_is_a_strangers_whatever_cookie_comes_with_it(access, given_):
    cookie = f"{COOKIE}={access._cookie.dumps('session')}"

    assert await caller_of(a_request(sign_in=access, authorization=given_, cookie=cookie)) is None


async def test_a_token_with_letters_beyond_ascii_that_the_settings_take_is_known(access_of):
    token = "schlüssel-aus-der-klinik"

    found = await caller_of(a_request(sign_in=access_of(OPERATOR_TOKEN=token), authorization=f"Bearer {token}"))

    assert found == Caller(Role.OPERATOR, name="operator")


async def test_whoever_sends_nothing_is_a_stranger(access):
    assert await caller_of(a_request(sign_in=access)) is None


@pytest.mark.parametrize("value", ["", "x", "x.y", "a.b.c", "ImEi.", '"a"', "%00", "é"], ids=repr)
async def test_a_cookie_that_is_none_of_ours_is_a_strangers(access, value):
    assert await caller_of(a_request(sign_in=access, cookie=f"{COOKIE}={value}")) is None


async def test_a_cookie_that_was_changed_or_signed_elsewhere_is_a_strangers(access_of):
    ours, theirs = access_of(SESSION_KEY=SESSION_KEY), access_of(SESSION_KEY=OTHER_KEY)
    good = ours._cookie.dumps("session")

    for bad in (theirs._cookie.dumps("session"), good[:-1], ours._cookie.dumps(["session"]), ours._cookie.dumps(7)):
        assert await caller_of(a_request(sign_in=ours, cookie=f"{COOKIE}={bad}")) is None


@pytest.mark.parametrize(
    ("csrf", "sent", "is_so"),
    [
        (None, None, True), (None, "anything", True),
        ("right", "right", True), ("right", "wrong", False), ("right", "", False), ("right", None, False),
        ("right", "é", False),
    ],
)  # fmt: skip
def test_a_session_proves_that_its_page_sent_the_request_and_a_bearer_need_not(csrf, sent, is_so):
    assert is_meant(Caller(Role.OPERATOR, csrf), sent) is is_so


def test_what_a_form_carries_differs_from_session_to_session(access):
    ours, theirs = (access._csrf.get_signature(session) for session in ("ours", "theirs"))

    assert ours != theirs
    assert CSRF_FIELD == "csrf_token"


@pytest.mark.parametrize(
    ("headers", "is_so"),
    [
        ({}, False),
        ({"sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "same-site"}, True),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"origin": "https://sync.example.com"}, False),
        ({"origin": "http://127.0.0.1:8000", "host": "127.0.0.1:8000"}, False),
        ({"origin": "https://evil.example", "host": "127.0.0.1:8000"}, True),
        ({"origin": "https://sync.example.com.evil.example"}, True),
        ({"origin": "null"}, True),
        ({"sec_fetch_site": "cross-site", "origin": "https://sync.example.com"}, True),
    ],
    ids=str,
)
def test_a_request_that_another_site_sent_is_told_by_the_browser(said, headers, is_so):
    assert is_from_elsewhere(a_request(settings=said(), **headers)) is is_so
