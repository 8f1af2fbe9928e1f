"""Settings: what a right environment means, and that no secret can be read off the settings."""

from datetime import timedelta
from pathlib import Path

import certifi
import pytest

from app.settings.env_file import EXPECTED
from app.settings.fields import Settings
from app.settings.types import raw_keys
from app.sync.model import Side
from tests.build import FOR_DRCHRONO, FOR_SALESFORCE, KEY, NEEDED

BY_KEY = {"SALESFORCE_CLIENT_SECRET": None, "SALESFORCE_USERNAME": "a", "SALESFORCE_PRIVATE_KEY_FILE": "key.pem"}
OPTIONAL = sorted(EXPECTED.keys() - NEEDED.keys())
OTHER_KEY = "bmV3" * 10 + "bmU="
SECRETS = {"SESSION_KEY": OTHER_KEY, "VIEWER_TOKEN": "viewer-token-of-enough-characters"}
EXAMPLES = {name: example for name, (_, example) in EXPECTED.items() if not example.startswith("the output")}


def test_the_least_that_is_needed_starts_with_neither_side_connected(said):
    assert said().connected == frozenset()


def test_every_variable_says_what_it_expects():
    assert {name.lower() for name in EXPECTED} == set(Settings.model_fields)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_can_be_taken_as_it_stands(said, tmp_path, rsa_key, name):
    (tmp_path / "key.pem").write_text(rsa_key[1])
    content = {"SALESFORCE_PRIVATE_KEY_FILE": rsa_key[1], "CA_BUNDLE": certifi.contents()}
    example = EXAMPLES[name]
    if example.startswith("/etc/"):
        example = str(tmp_path / Path(example).name)
        Path(example).write_text(content.get(name, ""))
    side = FOR_DRCHRONO if name.startswith("DRCHRONO") else FOR_SALESFORCE if name.startswith("SALESFORCE") else {}
    by_key = BY_KEY if name in BY_KEY and name != "SALESFORCE_CLIENT_SECRET" else {}

    settings = said(**{**side, **by_key, name: example})

    assert name.lower() in settings.model_fields_set


@pytest.mark.parametrize(
    ("side", "variables"),
    [(Side.DRCHRONO, FOR_DRCHRONO), (Side.SALESFORCE, FOR_SALESFORCE)],
    ids=["drchrono", "salesforce"],
)
def test_a_side_whose_settings_are_all_there_is_connected(said, side, variables):
    assert said(**variables).connected == {side}


def test_salesforce_signs_in_by_a_key_file_instead_of_a_secret(said, tmp_path, rsa_key):
    (tmp_path / "key.pem").write_text(rsa_key[1])

    settings = said(**{**FOR_SALESFORCE, **BY_KEY})

    assert settings.connected == {Side.SALESFORCE}
    assert settings.private_key == rsa_key[1]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
@pytest.mark.parametrize("name", ["PUBLIC_URL", "DRCHRONO_BASE_URL"])
def test_plain_http_is_allowed_on_this_machine(said, name, host):
    assert getattr(said(**{name: f"http://{host}:8001/"}), name.lower()) == f"http://{host}:8001"


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_empty_string_counts_as_unset(said, name):
    unset = said()

    assert said(**{name: ""}) == unset


@pytest.mark.parametrize(
    "name",
    ["DRCHRONO_CLIENT_SECRET", "DRCHRONO_WEBHOOK_SECRETS", "SALESFORCE_CLIENT_SECRET", *SECRETS, *sorted(NEEDED)[:3]],
)
def test_settings_do_not_show_a_secret(said, name):
    value = {**NEEDED, **FOR_DRCHRONO, **FOR_SALESFORCE, **SECRETS}[name]

    assert value not in repr(said(**FOR_DRCHRONO, **FOR_SALESFORCE, **SECRETS))


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "postgresql+asyncpg://u:hunter2secret@db/x"), ("REDIS_URL", "redis://:hunter2secret@r:6379/0")],
)
def test_settings_do_not_show_the_password_in_an_address(said, name, value):
    assert "hunter2secret" not in repr(said(**{name: value}))


def test_unknown_variables_are_passed_over(said, tmp_path):
    (tmp_path / ".env").write_text("NOBODY_KNOWS=this\n")

    assert said(CHRONOBRIDGE_COLOUR="red") == said()


def test_the_environment_wins_over_a_file_beside_us(said, tmp_path):
    (tmp_path / ".env").write_text("PORT=8001\nHOST=0.0.0.0\n")

    settings = said(PORT="8002")

    assert (settings.port, settings.host) == (8002, "0.0.0.0")


def test_comma_lists_are_plain_text(said):
    assert said(TRUSTED_PROXIES=" 10.0.0.7, 10.8.0.0/16,::1 ,").trusted_proxies == ("10.0.0.7", "10.8.0.0/16", "::1")


def test_durations_are_iso_8601(said):
    assert said(CONFIRM_AFTER="PT1M30S").confirm_after == timedelta(seconds=90)


def test_keys_are_given_as_their_bytes_newest_first(said):
    keys = raw_keys(said(HASH_KEYS=f"{OTHER_KEY},{KEY}").hash_keys)

    assert keys[0] == b"new" * 10 + b"ne"
    assert [len(key) for key in keys] == [32, 32]


def test_sessions_are_signed_with_their_own_key_where_there_is_one(said):
    assert said(SESSION_KEY=OTHER_KEY).signing_key == b"new" * 10 + b"ne"


def test_without_one_they_are_signed_with_a_key_made_from_the_newest_encryption_key(said):
    made = said().signing_key

    assert len(made) == 32
    assert made not in raw_keys(said().encryption_keys), "what signs must not open what is sealed"
    assert said(ENCRYPTION_KEYS=f"{KEY},{OTHER_KEY}").signing_key == made
    assert said(ENCRYPTION_KEYS=f"{OTHER_KEY},{KEY}").signing_key != made


def test_a_session_key_of_its_own_outlives_a_rotation_of_the_others(said):
    rotated = said(SESSION_KEY=OTHER_KEY, ENCRYPTION_KEYS=f"{OTHER_KEY},{KEY}")

    assert rotated.signing_key == said(SESSION_KEY=OTHER_KEY).signing_key


def test_drchrono_allows_500_calls_an_hour_unless_it_is_said_otherwise(said):
    assert said().drchrono_calls_per_hour == 500
    assert said(DRCHRONO_CALLS_PER_HOUR="2000").drchrono_calls_per_hour == 2000


def test_two_different_tokens_may_stand_beside_each_other(said):
    token = "viewer-token-of-enough-characters"

    assert said(VIEWER_TOKEN=token).viewer_token.get_secret_value() == token


@pytest.mark.parametrize(("url", "is_secure"), [("https://a.example", True), ("http://localhost:8000", False)])
def test_cookies_may_insist_on_https_where_people_come_by_it(said, url, is_secure):
    assert said(PUBLIC_URL=url).is_secure is is_secure


def test_settings_cannot_be_changed(said):
    with pytest.raises(ValueError, match="frozen"):
        said().port = 1


@pytest.mark.parametrize("other", [{"PUBLIC_URL": "https://other.example.com"}, {"INSTANCE_ID": "copy"}], ids=str)
def test_a_copy_of_an_installation_has_another_identity(said, other):
    ours = said().identity

    assert said(**other).identity != ours
