"""Whatever is wrong with the settings ends in one line: the variable, what is expected and an example, no secret."""

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
WRONG = {
    "DATABASE_URL": ["mysql://root:hunter2secret@db/x", "sqlite+aiosqlite:///:memory:", "sqlite+aiosqlite:///"],
    "PUBLIC_URL": ["ftp://a", "sync.example.com", "https://", "https://a?b=hunter2secret", "https://u:p@a", "http://a"],
    "PORT": ["0", "65536", "http", "80.5"],
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
    "ENCRYPTION_KEYS": ["hunter2secret", f"{KEY},hunter2secret", KEY[:-1], "c2hvcnQ=", ","],
    "HASH_KEYS": ["hunter2secret", f"{KEY},hunter2secret", "ключ"],
    "SESSION_KEY": ["hunter2secret", KEY[:-1], "c2hvcnQ=", f"{KEY},{KEY}", "ключ"],
    "OPERATOR_TOKEN": ["hunter2secret", " " * 20, f" {'hunter2secret' * 2}", f"{'hunter2secret' * 2}\t"],
    "VIEWER_TOKEN": ["hunter2secret", f"{'hunter2secret' * 2} ", NEEDED["OPERATOR_TOKEN"]],
    "MAPPING_FILE": ["absent.toml", "."],
    "CA_BUNDLE": ["absent.pem"],
    "DRCHRONO_BASE_URL": ["http://app.drchrono.com", "app.drchrono.com", "http://localhost.example.com"],
    "DRCHRONO_WEBHOOK_SECRETS": ["hunter2secret", "webhook-secret-of-enough-characters,hunter2secret"],
    "DRCHRONO_CALLS_PER_HOUR": ["0", "-500", "many", "1.5"],
    "SALESFORCE_LOGIN_URL": ["http://127.0.0.1", "https://acme.my.salesforce.com/services", "acme"],
    "SALESFORCE_ORG_ID": ["00D", "0055g000001AbCdEAK", "00D5g000001AbCdEA", "00D5g000001AbCdEAK0"],
    "SALESFORCE_API_VERSION": ["67", "v67.0", "67.5"],
    "SALESFORCE_REQUEST_LIMIT": ["PT0S", "-PT1M", "soon"],
    "SALESFORCE_CALLS_AT_ONCE": ["0", "26", "many"],
    "CONFIRM_AFTER": ["-PT1S", "soon"],
    "ATTEMPT_LIMIT": ["0", "-1", "many"],
    "RETENTION_DAYS": ["0", "-1", "1.5", "for ever"],
}
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

    line = complaint(**{name: value})

    assert line.startswith(f"{name} ")
    assert line.endswith(f": expected {expected}; for example {name}={example}")
    assert "\n" not in line


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
