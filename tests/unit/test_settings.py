"""Settings: what a right environment means, and that no secret can be read off the settings."""

import base64
from datetime import timedelta
from pathlib import Path

import certifi
import pytest

from app.settings.env_file import EXPECTED, near_misses, secret_files
from app.settings.env_file import SECRETS as SECRETS_OF_OURS
from app.settings.fields import Settings
from app.settings.types import raw_keys
from app.settings.url import SALESFORCE_SUFFIXES
from app.sync.model import Side
from app.vendors.salesforce import oauth
from tests.build import FOR_DRCHRONO, FOR_SALESFORCE, HASH_KEY, KEY, NEEDED

BY_KEY = {"SALESFORCE_CLIENT_SECRET": None, "SALESFORCE_USERNAME": "a", "SALESFORCE_PRIVATE_KEY_FILE": "key.pem"}
OPTIONAL = sorted(EXPECTED.keys() - NEEDED.keys())
OTHER_KEY = "pN4vZ8qTtYkW2mRj6sXcB1hLfD5gA9uEoI3xVb7nQzM="
THIRD_KEY = "b9Fq2LwXr5NzT8vYc1KmP4hGdS7jAe0uUi6oEy3RxWk="
FOR_OIDC = {
    "OIDC_ISSUER": "https://id.example.com",
    "OIDC_CLIENT_ID": "chronobridge",
    "OIDC_CLIENT_SECRET": "a secret",
    "OIDC_OPERATOR_CLAIM": "groups=front-desk",
}
FOR_STAFF = {
    **FOR_DRCHRONO,
    "DRCHRONO_SIGN_IN_CLIENT_ID": "another client",
    "DRCHRONO_SIGN_IN_CLIENT_SECRET": "another secret",
    "DRCHRONO_ROLES": "staff=operator",
}
FOR_NOTICES = {
    "NOTIFY_URL": "https://hooks.example.com/here",
    "NOTIFY_SIGNING_KEY": OTHER_KEY,
    "NOTIFY_SMTP_URL": "smtp://mail.clinic.example",
    "NOTIFY_EMAIL_TO": "desk@clinic.example",
    "NOTIFY_EMAIL_FROM": "sync@clinic.example",
}
SECRETS = {"SESSION_KEY": OTHER_KEY, "VIEWER_TOKEN": "viewer-token-of-enough-characters"}
WHOLE = {
    **NEEDED,
    **FOR_STAFF,
    **FOR_SALESFORCE,
    **FOR_OIDC,
    **SECRETS,
    "SALESFORCE_EVENT_SIGNING_KEYS": OTHER_KEY,
    **FOR_NOTICES,
}
WHOLE |= {"OPERATORS": "anna:0123456789abcdef-fedcba9876543210", "VIEWERS": "ben:a-secret-of-an-account-that-is-long"}
WHOLE |= dict.fromkeys(("SALESFORCE_OUTBOUND_TOKENS", "SALESFORCE_EVENT_TOKENS"), "a-token-of-sixteen-characters")
SIDES = {"DRCHRONO": FOR_DRCHRONO, "SALESFORCE": FOR_SALESFORCE, "OIDC": FOR_OIDC, "NOTIFY": FOR_NOTICES}
EXAMPLES = {name: example for name, (_, example) in EXPECTED.items() if not example.startswith("the output")}


def side_of(name):
    """Give what has to be set beside a variable."""
    return FOR_STAFF if name in FOR_STAFF else SIDES.get(name.partition("_")[0], {})


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
    side = side_of(name)
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


@pytest.mark.parametrize("text", ["PT1M30S", "90s", "1.5m", "1m30s", "1M 30S", " 1 min 30 s ", "0h1.5min"])
def test_a_length_of_time_is_written_as_people_do_or_in_iso_8601(said, text):
    assert said(CONFIRM_AFTER=text).confirm_after == timedelta(seconds=90)


@pytest.mark.parametrize(("text", "span"), [("1h", timedelta(hours=1)), ("2d", timedelta(days=2))])
def test_hours_and_days_are_lengths_of_time_too(said, text, span):
    assert said(RECONCILE_EVERY=text).reconcile_every == span


ALMOST = {
    "OPERATR_TOKEN": "OPERATOR_TOKEN",
    "ENCRYPTION_KEY": "ENCRYPTION_KEYS",
    "drchrono_clientid": "DRCHRONO_CLIENT_ID",
    "SALESFORCE_LOGN_URL": "SALESFORCE_LOGIN_URL",
    "VIEWER_TOKN_FILE": "VIEWER_TOKEN_FILE",
}
OF_OTHERS = (
    "HOSTNAME REDIS_HOST REDIS_PORT POSTGRES_PASSWORD PGHOST KUBERNETES_PORT SSH_AUTH_SOCK LS_COLORS XDG_SESSION_ID "
    "LOG_LEVEL HTTP_PROXY VIEWER OPERATOR PORTS SF_USERNAME SALESFORCE_PASSWORD REQUESTS_CA_BUNDLE DATABASE_NAME"
)


@pytest.mark.parametrize(("name", "meant"), ALMOST.items(), ids=list(ALMOST))
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_a_name_that_is_almost_a_setting_is_told_wherever_it_stands(monkeypatch, tmp_path, name, meant, place):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(meant, raising=False)
    if place == ".env":
        (tmp_path / ".env").write_text(f"{name}=hunter2secret\n")
    else:
        monkeypatch.setenv(name, "hunter2secret")

    assert near_misses() == [f"{name.upper()} is not a setting: did you mean {meant}?"]


def test_names_of_other_programs_in_the_environment_are_theirs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in OF_OTHERS.split():
        monkeypatch.setenv(name, "theirs")

    assert near_misses() == []


def test_a_name_beside_the_setting_that_it_is_almost_was_not_meant_for_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "sqlite+aiosqlite:///var/here.db")
    monkeypatch.setenv("DATABASE_URI", "sqlite:///theirs.db")

    assert near_misses() == []


def test_in_the_env_file_a_name_that_begins_like_ours_is_told_and_no_other(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("SALESFORCE_SANDBOX=yes\nPOSTGRES_PASSWORD=x\nPORT=8001\nVIEWER_TOKEN_FILE=x\n")

    assert near_misses() == ["SALESFORCE_SANDBOX is not a setting: remove it from .env, or correct its name"]


def test_keys_are_given_as_their_bytes_newest_first(said):
    keys = raw_keys(said(HASH_KEYS=f"{OTHER_KEY},{HASH_KEY}").hash_keys)

    assert keys[0] == base64.urlsafe_b64decode(OTHER_KEY)
    assert [len(key) for key in keys] == [32, 32]


def test_sessions_are_signed_with_their_own_key_where_there_is_one(said):
    assert said(SESSION_KEY=OTHER_KEY).signing_key == base64.urlsafe_b64decode(OTHER_KEY)


def test_without_one_they_are_signed_with_a_key_made_from_the_newest_encryption_key(said):
    made = said().signing_key

    assert len(made) == 32
    assert made not in raw_keys(said().encryption_keys), "what signs must not open what is sealed"
    assert said(ENCRYPTION_KEYS=f"{KEY},{OTHER_KEY}").signing_key == made
    assert said(ENCRYPTION_KEYS=f"{OTHER_KEY},{KEY}").signing_key != made


def test_a_session_key_of_its_own_outlives_a_rotation_of_the_others(said):
    rotated = said(SESSION_KEY=OTHER_KEY, ENCRYPTION_KEYS=f"{THIRD_KEY},{KEY}")

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


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("name", SECRETS_OF_OURS)
def test_every_secret_may_stand_in_a_file_of_its_own(said, tmp_path, name, end):
    value = WHOLE.get(name) or EXPECTED[name][1]
    (tmp_path / "secret").write_bytes(f"{value}{end}".encode())
    side = side_of(name)

    by_itself = said(**{**side, name: value})
    by_file = said(**{**side, name: "", f"{name}_FILE": tmp_path / "secret"})

    assert by_file == by_itself


def test_the_file_beside_us_may_name_the_file_of_a_secret(said, tmp_path):
    (tmp_path / "token").write_text("viewer-token-of-enough-characters\n")
    (tmp_path / ".env").write_text(f"VIEWER_TOKEN_FILE={tmp_path}/token\n")

    assert said().viewer_token.get_secret_value() == "viewer-token-of-enough-characters"


def test_every_file_of_a_secret_is_known_by_what_names_it(said, tmp_path, rsa_key):
    for name, content in (("key.pem", rsa_key[1]), ("token", "viewer-token-of-enough-characters"), (".env", "")):
        (tmp_path / name).write_text(content)

    files = secret_files(said(**{**FOR_SALESFORCE, **BY_KEY, "VIEWER_TOKEN_FILE": "token"}))

    assert {name: path.name for name, path in files.items()} == {
        ".env": ".env", "VIEWER_TOKEN_FILE": "token", "SALESFORCE_PRIVATE_KEY_FILE": "key.pem",
    }  # fmt: skip


def test_salesforces_own_addresses_are_those_its_client_sends_tokens_to():
    assert oauth._OWN_SUFFIXES == SALESFORCE_SUFFIXES


def test_salesforces_stand_in_on_this_machine_may_be_named(said):
    assert said(**{**FOR_SALESFORCE, "SALESFORCE_LOGIN_URL": "https://127.0.0.1:8443/"}).connected == {Side.SALESFORCE}


@pytest.mark.parametrize(
    ("given", "zone"),
    [
        ({}, "America/New_York"),
        ({"OFFICE_HOURS": "Mon-Fri 08:00-18:00 America/Chicago"}, "America/Chicago"),
        ({"CLINIC_ZONE": "America/Phoenix"}, "America/Phoenix"),
        ({"CLINIC_ZONE": "America/Denver", "OFFICE_HOURS": "never"}, "America/Denver"),
        ({"OFFICE_HOURS": "never"}, "UTC"),
    ],
)
def test_the_clinics_zone_is_that_of_its_office_hours_unless_it_is_set(said, given, zone):
    assert said(**given).zone.key == zone


@pytest.mark.parametrize(("given", "locale"), [("en-GB", "en_GB"), ("de", "de"), ("", "en_US")])
def test_a_locale_may_be_written_with_a_hyphen(said, given, locale):
    assert said(CLINIC_LOCALE=given).clinic_locale == locale
