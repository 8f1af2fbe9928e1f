"""Whatever is wrong with the settings ends in a line: the variable, what is expected and an example, no secret."""

import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from app.settings.env_file import EXPECTED
from tests.build import FOR_DRCHRONO, FOR_SALESFORCE, KEY, NEEDED

BY_KEY = {
    **FOR_SALESFORCE,
    "SALESFORCE_CLIENT_SECRET": None,
    "SALESFORCE_USERNAME": "sync@acme.example",
    "SALESFORCE_PRIVATE_KEY_FILE": "key.pem",
}
OTHER_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
WEAK_KEY = base64.urlsafe_b64encode(b"sixteen bytes ab" * 2).decode()
LONG, LONGER = "0123456789abcdef-fedcba9876543210", "another-secret-of-an-account-that-is-long"
WRONG = {
    "DATABASE_URL": ["mysql://root:hunter2secret@db/x", "sqlite+aiosqlite:///:memory:", "sqlite+aiosqlite:///"],
    "PUBLIC_URL": [
        "https://sync.exa\nmple.com",
        "https://sync.example.com\\.evil.example",
        "https://a b",
        "ftp://a",
        "sync.example.com",
        "https://",
        "https://a?b=hunter2secret",
        "https://a:hunter2secret",
        "https://[hunter2secret",
        "https://u:p@a",
        "http://a",
    ],
    "PORT": ["0", "65536", "http", "80.5"],
    "ALLOWED_HOSTS": ["*", "https://web", "web:8000", "web/x", "-web", "a b", ".internal"],
    "TRUSTED_PROXIES": [
        "*",
        "proxy",
        "proxy.example.com",
        "10.0.0.0/33",
        "10.0.0.7/8",
        "0.0.0.0/0",
        "::/0",
        "10.0.0.7;::1",
    ],
    "ENCRYPTION_KEYS": [
        "A" * 43 + "=",
        "hunter2s" * 5 + "h0=",
        WEAK_KEY,
        "hunter2secret",
        f"{KEY},hunter2secret",
        KEY[:-1],
        "c2hvcnQ=",
        ",",
    ],
    "HASH_KEYS": ["hunter2secret", f"{KEY},hunter2secret", "ключ"],
    "SESSION_KEY": ["hunter2secret", KEY[:-1], "c2hvcnQ=", f"{KEY},{KEY}", "ключ"],
    "OPERATOR_TOKEN": [
        "a" * 40,
        "abcdefgh" * 3,
        "hunter2hun\nter2secret",
        "hunter2secret",
        " " * 20,
        f" {'hunter2secret' * 2}",
        f"{'hunter2secret' * 2}\t",
    ],
    "VIEWER_TOKEN": ["hunter2secret", f"{'hunter2secret' * 2} ", NEEDED["OPERATOR_TOKEN"]],
    "OPERATORS": [
        "hunter2secret",
        f":{LONG}",
        f"an na:{LONG}",
        f"ann/a:{LONG}",
        f"{'a' * 65}:{LONG}",
        f"operator:{LONG}",
        f"Viewer:{LONG}",
        "anna:hunter2secret",
        "anna:",
        f"anna:{'a' * 40}",
        f"anna:{LONG} {LONG}",
        f"anna:{LONG},Anna:{LONGER}",
        f"anna:{LONG},ben:{LONG}",
        "anna:$2b$12$hunter2secrethunter2secrethunter2secrethunter2secre",
        "anna:$argon2id$v=19$m=8,t=1,p=1$NtSotpIw3nC+zhYj3CKphQ$fl/wnob57qKndK5D+vwOzqU2crTQBEQ6EFiO+0jsdrY",
        "anna:$argon2id$v=19$m=9999999,t=99,p=1$NtSotpIw3nC+zhYj3CKphQ$fl/wnob57qKndK5D+vwOzqU2crTQBEQ6EFiO+0jsdrY",
        "anna:$argon2id$v=19$m=65536,t=3,p=1$NtSotpIw3nC+zhYj3CKphQ$fl/wnob57",
        "anna:$argon2id$v=19$m=65536",
    ],
    "VIEWERS": ["hunter2secret", "ben:hunter2secret"],
    "OIDC_ISSUER": ["http://id.example.com", "id.example.com", "https://id.example.com?x=hunter2secret"],
    "OIDC_OPERATOR_CLAIM": ["groups", "=front-desk", "groups=", "groups=a,b"],
    "OIDC_VIEWER_CLAIM": ["groups"],
    "OIDC_SCOPES": ["email profile"],
    "DRCHRONO_ROLES": ["staff", "=viewer", "staff=", "staff=admin", "staff=viewer,staff=operator", "staff=viewer;x"],
    "AUDIT_RETENTION_DAYS": ["0", "-1", "for ever"],
    "CLINIC_ZONE": ["Eastern", "EST5EDT4", "america/new_york", "US/Eastern\n", "UTC+1", "Factory"],
    "CLINIC_LOCALE": ["American", "xx_YY", "en US", "12", "en_"],
    "MAPPING_FILE": ["absent.toml", "."],
    "CA_BUNDLE": ["absent.pem"],
    "DRCHRONO_BASE_URL": ["http://app.drchrono.com", "app.drchrono.com", "http://localhost.example.com"],
    "DRCHRONO_WEBHOOK_SECRETS": [
        "hunter2secret",
        "webhook-secret-of-enough-characters,hunter2secret",
        "hunter2secret-that-is-too-short",
    ],
    "DRCHRONO_CALLS_PER_HOUR": ["0", "-500", "many", "1.5"],
    "SALESFORCE_OUTBOUND_TOKENS": ["hunter2secret/of-the-path", "hunter2secret?of=the&path", "a1b2c3d4e5f6g7h8%"],
    "SALESFORCE_EVENT_TOKENS": ["ab" * 20, f"event-token-of-the-tests,{'abc' * 12}"],
    "RECONCILE_EVERY": ["PT0.001S", "PT59S", "-PT1H", "59s", "-1h", "1 hour", "1h and 5m", "h", "9" * 400 + "d"],
    "FEED_QUIET": ["PT1S"],
    "DRCHRONO_SEARCH_GAP": ["PT0.5S"],
    "DOCUMENT_MAX_MB": ["0", "101", "10 MB"],
    "DOCUMENT_SCANNER": [
        "127.0.0.1:3310",
        "http://127.0.0.1:3310",
        "clamd://",
        "clamd:///",
        "clamd://av/run/clamd.sock",
        "clamd://av:port",
        "clamd://av:99999",
        "icap://av",
        "icap://av/",
        "icap:///avscan",
        "icap://user:hunter2secret@av/avscan",
        "icap://av/avscan?allow=hunter2secret",
        "icap://av/av scan",
        "icap://av/avscan\n",
    ],
    "DOCUMENT_POLL_EVERY": ["PT59S", "soon"],
    "DOCUMENT_CALL_SHARE": ["0", "1.1", "all"],
    "REDIS_URL": ["redis://127.0.0.1:6379/0\n", "redis://a b"],
    "SALESFORCE_LOGIN_URL": [
        "https://acme.my.salesforce.com.evil.example",
        "https://evilsalesforce.com",
        "https://acme.my.salesforce.com\n",
        "http://127.0.0.1",
        "https://acme.my.salesforce.com/services",
        "acme",
    ],
    "SALESFORCE_ORG_ID": ["00D", "0055g000001AbCdEAK", "00D5g000001AbCdEA", "00D5g000001AbCdEAK0"],
    "SALESFORCE_API_VERSION": ["67", "v67.0", "67.5", "40.0"],
    "DRCHRONO_DEFAULT_DOCTOR": ["Dr. Test", "1" * 19],
    "LOG_FORMAT": ["logfmt", "JSON"],
    "ON_DRCHRONO_DELETE": ["erase"],
    "SALESFORCE_REQUEST_LIMIT": ["PT0S", "-PT1M", "soon"],
    "SALESFORCE_CALLS_AT_ONCE": ["0", "26", "many"],
    "CONFIRM_AFTER": ["-PT1S", "soon"],
    "ATTEMPT_LIMIT": ["0", "-1", "many"],
    "RETENTION_DAYS": ["0", "-1", "1.5", "for ever"],
    "NOTIFY_URL": [
        "hooks.example.com",
        "ftp://hooks.example.com/hunter2secret",
        "https://",
        "https://user:hunter2secret@hooks.example.com",
        "https://hooks.example.com/#hunter2secret",
        "https://hooks.example.com:port/hunter2secret",
        "https://hooks.example.com/hunter2secret\nx: y",
    ],
    "NOTIFY_SIGNING_KEY": ["hunter2secret", KEY[:-1], f"{KEY},{KEY}"],
    "NOTIFY_SLACK_URL": ["hunter2secret", "https://hooks.slack.com/hunter2secret x"],
    "NOTIFY_SMTP_URL": [
        "mail.clinic.example",
        "https://mail.clinic.example",
        "smtp://",
        "smtp://desk:hunter2secret@mail.clinic.example:port",
        "smtp://desk@mail.clinic.example",
        "smtp://:hunter2secret@mail.clinic.example",
        "smtp://mail.clinic.example/hunter2secret",
        "smtp://mail.clinic.example?hunter2secret",
        "smtp://desk:hunter2secret@mail clinic.example",
    ],
    "NOTIFY_EMAIL_TO": [
        "desk",
        "desk@",
        "Desk <desk@clinic.example>",
        "a@b.example,desk",
        "a@b.example\nBcc: c@d.example",
    ],
    "NOTIFY_EMAIL_FROM": ["sync", "a@b.example,c@d.example", "a@b.example\r\nBcc: c@d.example"],
    "NOTIFY_EVENTS": ["everything", "failure;outage", "failure,outage,oops"],
    "NOTIFY_DIGEST_AT": ["8", "24:00", "08:60", "8 AM", "08:00 America/New_York"],
    "NOTIFY_PER_HOUR": ["0", "61", "many"],
    "NOTIFY_PLAINTEXT": ["perhaps"],
}
# what pydantic says of a value, patterns included, and what the standard library does
_LIBRARYS = re.compile(r"[Ii]nput should|unable to parse|String should|[Ii]nvalid|\^|\\|Port could not")
CASES = [pytest.param(name, value, id=f"{name}={value}") for name, values in WRONG.items() for value in values]
SECRET = [case for case in CASES if "hunter2secret" in case.values[1]]
ONE_OF_A_SIDE = [
    pytest.param(variables, name, id=name) for variables in (FOR_DRCHRONO, FOR_SALESFORCE) for name in variables
]


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_needed_and_missing_is_named(complaint, name):
    expected, example = EXPECTED[name]

    assert complaint(**{name: None}) == f"{name} is missing: expected {expected}; for example {name}={example}"


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_needed_may_not_be_empty(complaint, name):
    assert complaint(**{name: ""}).startswith(f"{name} is ")


@pytest.mark.parametrize(("name", "value"), CASES)
def test_what_is_malformed_is_named_with_what_is_expected_and_an_example(complaint, name, value):
    expected, example = EXPECTED[name]

    (line,) = [one for one in complaint(**{name: value}).splitlines() if one.startswith(f"{name} ")]

    assert line.endswith(f": expected {expected}; for example {name}={example}")
    assert not _LIBRARYS.search(line)


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_env_file(complaint, tmp_path):
    told = complaint(
        PORT="http",
        HASH_KEYS=None,
        OPERATOR_TOKEN_FILE="token",
        VIEWER_TOKEN="hunter2",
        DRCHRONO_CLIENT_ID="id",
        SALESFORCE_API_VERSION="40.0",
        RECONCILE_EVERY="soon",
        CA_BUNDLE="absent.pem",
    )

    assert [line.partition(" ")[0] for line in told.splitlines()] == [
        "PORT", "HASH_KEYS", "OPERATOR_TOKEN", "VIEWER_TOKEN", "CA_BUNDLE", "DRCHRONO_CLIENT_SECRET",
        "DRCHRONO_WEBHOOK_SECRETS", "SALESFORCE_API_VERSION", "RECONCILE_EVERY",
    ]  # fmt: skip
    assert "hunter2" not in told


def test_a_setting_of_a_side_that_is_wrong_counts_as_there(complaint):
    told = complaint(**{**FOR_SALESFORCE, "SALESFORCE_LOGIN_URL": "acme"})

    assert [line.partition(" ")[0] for line in told.splitlines()] == ["SALESFORCE_LOGIN_URL"]


@pytest.mark.parametrize(("name", "value"), SECRET)
def test_a_wrong_secret_is_not_repeated(complaint, name, value):
    assert "hunter2" not in complaint(**{name: value})


def test_whoever_reads_must_not_be_able_to_act(complaint):
    line = complaint(VIEWER_TOKEN=NEEDED["OPERATOR_TOKEN"])

    assert line.startswith("VIEWER_TOKEN is the same as OPERATOR_TOKEN, so whoever reads could also act")
    assert NEEDED["OPERATOR_TOKEN"] not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "127.0.0.1"),
        ("DATABASE_URL", "postgresql+asyncpg://u:hunter2secret@db:port/x"),
        ("PUBLIC_URL", "https://sync.example.com:port"),
        ("SALESFORCE_LOGIN_URL", "https://acme.my.salesforce.com:99999"),
        ("CA_BUNDLE", "clinic.pem"),
    ],
)
def test_what_is_malformed_is_found_at_start(complaint, tmp_path, name, value):
    (tmp_path / "clinic.pem").write_text("no certificate")

    assert complaint(**{name: value}).startswith(f"{name} ")


@pytest.mark.parametrize(("variables", "name"), ONE_OF_A_SIDE)
@pytest.mark.parametrize("empty", [None, ""], ids=["absent", "empty"])
def test_a_side_with_some_settings_missing_names_the_missing_one(complaint, variables, name, empty):
    assert complaint(**{**variables, name: empty}).startswith(f"{name} is missing while other settings of ")


@pytest.mark.parametrize(("variables", "name"), ONE_OF_A_SIDE)
def test_one_setting_of_a_side_alone_is_not_enough(complaint, variables, name):
    assert "is missing while other settings of " in complaint(**{name: variables[name]})


@pytest.mark.parametrize("name", ["SALESFORCE_USERNAME", "SALESFORCE_PRIVATE_KEY_FILE"])
def test_two_ways_of_signing_in_are_one_too_many(complaint, name):
    assert "keep one way to sign in" in complaint(**FOR_SALESFORCE, **{name: "a"})


@pytest.mark.parametrize("missing", ["SALESFORCE_USERNAME", "SALESFORCE_PRIVATE_KEY_FILE"])
def test_half_of_a_sign_in_by_key_names_the_other_half(complaint, tmp_path, rsa_key, missing):
    (tmp_path / "key.pem").write_text(rsa_key[1])

    assert complaint(**{**BY_KEY, missing: None}).startswith(f"{missing} is missing while")


@pytest.fixture
def key_file(tmp_path):
    return tmp_path / "key.pem"


def refused(line):
    return line.startswith("SALESFORCE_PRIVATE_KEY_FILE holds no unencrypted RSA key") and "hunter2" not in line


def test_a_file_that_holds_no_key_is_refused(complaint, key_file):
    key_file.write_text("hunter2secret")

    assert refused(complaint(**BY_KEY))


def test_a_key_that_is_no_rsa_key_is_refused(complaint, key_file):
    key = ec.generate_private_key(ec.SECP256R1())
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    assert refused(complaint(**BY_KEY))


def test_an_encrypted_key_is_refused(complaint, key_file, rsa_key):
    locked = BestAvailableEncryption(b"hunter2secret")
    key_file.write_bytes(rsa_key[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))

    assert refused(complaint(**BY_KEY))


def test_a_key_in_der_form_is_refused(complaint, key_file, rsa_key):
    key_file.write_bytes(rsa_key[0].private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    assert refused(complaint(**BY_KEY))


DOORS = {
    "OPERATOR_TOKEN": {},
    "VIEWER_TOKEN": {},
    "DRCHRONO_WEBHOOK_SECRETS": FOR_DRCHRONO,
    "SALESFORCE_OUTBOUND_TOKENS": {},
    "SALESFORCE_EVENT_TOKENS": {},
}


@pytest.mark.parametrize(("first", "second"), [
    (first, second) for first in DOORS for second in (*DOORS, "DRCHRONO_CLIENT_SECRET") if first != second
])  # fmt: skip
def test_one_secret_opens_one_door(complaint, first, second):
    same = dict.fromkeys((first, second), "4f8c-the-same-secret-in-two-places")

    line = complaint(**{**FOR_DRCHRONO, **same})

    assert first in line
    assert second in line
    assert "4f8c" not in line


@pytest.mark.parametrize("name", ["HASH_KEYS", "SESSION_KEY", "SALESFORCE_EVENT_SIGNING_KEYS"])
def test_one_key_serves_one_purpose(complaint, name):
    line = complaint(**{name: KEY})

    assert line.startswith(f"{name} holds a secret that ENCRYPTION_KEYS holds too; give each its own")


def test_a_secret_that_is_there_twice_is_refused(complaint, tmp_path):
    (tmp_path / "token").write_text(NEEDED["OPERATOR_TOKEN"])

    line = complaint(OPERATOR_TOKEN_FILE=tmp_path / "token")

    assert line.startswith("OPERATOR_TOKEN is set twice, by itself and by OPERATOR_TOKEN_FILE; keep one")


NO_SECRETS = {"absent": None, "empty": b"", "blank": b"\n", "binary": b"\xff\xfe", "endless": b"x" * 70_000}


@pytest.mark.parametrize("content", NO_SECRETS.values(), ids=list(NO_SECRETS))
def test_a_file_that_holds_no_secret_ends_the_start_in_one_line(complaint, tmp_path, content):
    if content is not None:
        (tmp_path / "token").write_bytes(content)

    line = complaint(OPERATOR_TOKEN=None, OPERATOR_TOKEN_FILE="token")

    assert line.startswith(
        "OPERATOR_TOKEN_FILE names a file that is not there, cannot be read, is empty or is no text:"
    )
    assert "\n" not in line


def test_what_a_file_holds_is_checked_and_not_repeated(complaint, tmp_path):
    (tmp_path / "token").write_text("hunter2\n")

    line = complaint(OPERATOR_TOKEN=None, OPERATOR_TOKEN_FILE="token")

    assert line.startswith("OPERATOR_TOKEN is wrong (")
    assert "hunter2" not in line


BY_WEBHOOK = {"NOTIFY_URL": "https://hooks.example.com/a?b=c", "NOTIFY_SIGNING_KEY": OTHER_KEY}
BY_MAIL = {
    "NOTIFY_SMTP_URL": "smtp://desk:hunter2secret@mail.clinic.example",
    "NOTIFY_EMAIL_TO": "desk@clinic.example",
    "NOTIFY_EMAIL_FROM": "sync@clinic.example",
}


@pytest.mark.parametrize(("channel", "name"), [(way, name) for way in (BY_WEBHOOK, BY_MAIL) for name in way])
def test_a_channel_of_notices_is_set_up_whole_or_not_at_all(complaint, channel, name):
    line = complaint(**{**channel, name: None})

    assert line.startswith(f"{name} is missing while other settings of ")
    assert "hunter2" not in line


@pytest.mark.parametrize("name", ["NOTIFY_URL", "NOTIFY_SLACK_URL"])
def test_a_notice_goes_unencrypted_only_where_that_is_allowed(complaint, name):
    line = complaint(**{**BY_WEBHOOK, name: "http://127.0.0.1/hunter2secret"})

    assert line.startswith(f"{name} is plain http, which only NOTIFY_PLAINTEXT=true allows; use https")
    assert "hunter2" not in line


OIDC = {
    "OIDC_ISSUER": "https://id.example.com",
    "OIDC_CLIENT_ID": "chronobridge",
    "OIDC_CLIENT_SECRET": "hunter2secret",
    "OIDC_OPERATOR_CLAIM": "groups=front-desk",
}


@pytest.mark.parametrize("name", OIDC)
def test_an_issuer_is_set_up_whole_or_not_at_all(complaint, name):
    assert complaint(**{**OIDC, name: None}).startswith(f"{name} is missing")


STAFF = {
    **FOR_DRCHRONO,
    "DRCHRONO_SIGN_IN_CLIENT_ID": "another client",
    "DRCHRONO_SIGN_IN_CLIENT_SECRET": "hunter2secret",
    "DRCHRONO_ROLES": "staff=operator",
}


@pytest.mark.parametrize("name", sorted(STAFF.keys() - FOR_DRCHRONO.keys()))
def test_staff_sign_in_is_set_up_whole_or_not_at_all(complaint, name):
    assert complaint(**{**STAFF, name: None}).startswith(f"{name} is missing")


def test_staff_sign_in_needs_a_practice(complaint):
    said = complaint(**{**STAFF, **dict.fromkeys(FOR_DRCHRONO)})

    assert said.startswith("DRCHRONO_CLIENT_ID is missing while DRCHRONO_SIGN_IN_CLIENT_ID is there")


def test_the_practices_application_signs_nobody_in(complaint):
    said = complaint(**{**STAFF, "DRCHRONO_SIGN_IN_CLIENT_ID": FOR_DRCHRONO["DRCHRONO_CLIENT_ID"]})

    assert said.startswith("DRCHRONO_SIGN_IN_CLIENT_ID is the same as DRCHRONO_CLIENT_ID")
    assert "make a second API application at DrChrono" in said


def test_who_reads_and_acts_by_two_accounts_has_two_names(complaint):
    said = complaint(OPERATORS=f"anna:{LONG}", VIEWERS=f"anna:{LONGER}")

    assert said.startswith("VIEWERS names anna twice, or VIEWERS names who is in OPERATORS")


def test_a_hash_holds_commas_and_stands_beside_other_accounts(said):
    hashed = "$argon2id$v=19$m=65536,t=3,p=1$NtSotpIw3nC+zhYj3CKphQ$fl/wnob57qKndK5D+vwOzqU2crTQBEQ6EFiO+0jsdrY"

    known = said(OPERATORS=f"anna:{LONG}, ben:{hashed},cleo:{LONGER},")

    found = [one.get_secret_value() for one in known.operators]
    assert found == [f"anna:{LONG}", f"ben:{hashed}", f"cleo:{LONGER}"]


@pytest.mark.parametrize("name", ["OPERATOR_TOKEN", "SALESFORCE_EVENT_TOKENS"])
def test_an_account_has_a_secret_that_opens_no_other_door(complaint, name):
    line = complaint(**{"OPERATORS": f"anna:{LONG}", name: LONG})

    assert "holds a secret that" in line
    assert LONG not in line
