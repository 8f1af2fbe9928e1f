"""deploy/env.example, and the `.env` that `chronobridge init` writes: whole, current, and of use as they are."""

import re
from collections import Counter
from pathlib import Path

import certifi
import pytest

from app.settings.env_file import EXPECTED, fresh, render
from app.settings.fields import Settings
from app.sync.model import Side
from tests.build import NEEDED

TEXT = (Path(__file__).parents[2] / "deploy" / "env.example").read_text()
LINES = re.findall(r"^(# )?([A-Z][A-Z_0-9]*)=(.*)$", TEXT, re.MULTILINE)
TO_FILL_IN = [name for comment, name, _ in LINES if not comment]
EXAMPLES = {name: value for _, name, value in LINES if value}
BY_KEY = {"SALESFORCE_USERNAME", "SALESFORCE_PRIVATE_KEY_FILE"}
SECRET_NAMES = ("DRCHRONO_WEBHOOK_SECRETS", "VIEWER_TOKEN")


@pytest.fixture
def files(tmp_path, rsa_key):
    """The files that the examples name, at a place where a test may put them."""
    contents = {
        "MAPPING_FILE": "",
        "CA_BUNDLE": certifi.contents(),
        "SALESFORCE_PRIVATE_KEY_FILE": rsa_key[1],
    }
    paths = {name: tmp_path / Path(EXAMPLES[name]).name for name in contents}
    for name, path in paths.items():
        path.write_text(contents[name])
    return {name: str(path) for name, path in paths.items()}


def section(name):
    """The comment above a variable."""
    before = TEXT[: re.search(rf"^(# )?{name}=", TEXT, re.MULTILINE).start()]
    return before[before.rindex("\n\n") :]


def test_it_is_what_make_env_example_writes():
    assert render({}) == TEXT


def test_no_line_of_it_is_wider_than_the_code():
    assert [line for line in TEXT.splitlines() if len(line) > 120] == []


def test_every_variable_of_the_service_stands_in_it_once_and_no_other():
    assert Counter(name for _, name, _ in LINES) == Counter(field.upper() for field in Settings.model_fields)
    assert {name for _, name, _ in LINES} == EXPECTED.keys()


def test_what_must_be_filled_in_is_what_a_start_needs():
    assert set(TO_FILL_IN) == NEEDED.keys()
    assert not EXAMPLES.keys() & NEEDED.keys()


def test_every_variable_says_what_it_expects_with_an_example_under_the_heading_of_a_section():
    assert [name for name, (expected, example) in EXPECTED.items() if not (expected and example)] == []
    assert len(re.findall(r"^# --- \S.* -+$", TEXT, re.MULTILINE)) == 8


@pytest.mark.parametrize("name", EXPECTED)
def test_every_variable_says_what_it_expects_in_the_words_of_the_complaint(name):
    assert f"# {EXPECTED[name][0]}" in section(name)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_that_of_the_complaint(name):
    assert EXAMPLES[name] == EXPECTED[name][1]


@pytest.mark.parametrize("name", [name for name, (_, example) in EXPECTED.items() if "openssl rand" in example])
def test_every_secret_is_left_empty_with_the_command_that_makes_one(name):
    assert name not in EXAMPLES
    assert "openssl rand" in section(name)


@pytest.mark.parametrize("left_out", [BY_KEY, {"SALESFORCE_CLIENT_SECRET"}], ids=["by secret", "by key"])
def test_every_example_uncommented_connects_both_sides(said, files, left_out):
    given = {
        **EXAMPLES,
        **files,
        **{name: f"0123456789abcdef-{name}" for name in SECRET_NAMES},
        "NOTIFY_SIGNING_KEY": fresh("")["NOTIFY_SIGNING_KEY"],
    }

    settings = said(**{name: value for name, value in given.items() if name not in left_out})

    assert settings.connected == set(Side)
    assert settings.instance_id == EXAMPLES["INSTANCE_ID"]


def test_a_copy_with_the_empty_ones_filled_in_starts(said, tmp_path):
    copy = TEXT
    for name, value in NEEDED.items():
        copy = copy.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    (tmp_path / ".env").write_text(copy)

    settings = said(**dict.fromkeys(NEEDED))

    assert settings.public_url == NEEDED["PUBLIC_URL"]
    assert settings.connected == frozenset()


def test_a_copy_left_as_it_is_says_what_to_fill_in(complaint, tmp_path):
    (tmp_path / ".env").write_text(TEXT)

    assert complaint(**dict.fromkeys(NEEDED)).startswith("PUBLIC_URL is missing")


@pytest.fixture
def made(tmp_path):
    """What `chronobridge init` put into a folder's `.env`."""
    values = fresh("http://127.0.0.1:8000")
    (tmp_path / ".env").write_text(render(values))
    return values


def test_a_new_installation_starts_with_what_was_made_for_it(said, made):
    settings = said(**dict.fromkeys(NEEDED))

    assert settings.public_url == made["PUBLIC_URL"]
    assert settings.connected == frozenset()
    for name in ("OPERATOR_TOKEN", "VIEWER_TOKEN"):
        assert getattr(settings, name.lower()).get_secret_value() == made[name]
    for name in ("ENCRYPTION_KEYS", "HASH_KEYS"):
        assert [key.get_secret_value() for key in getattr(settings, name.lower())] == [made[name]]


def test_a_new_installation_keeps_its_webhook_secret_until_the_rest_of_drchrono_is_there(said, made, tmp_path):
    text = (tmp_path / ".env").read_text()
    for name in ("DRCHRONO_CLIENT_ID", "DRCHRONO_CLIENT_SECRET", "DRCHRONO_WEBHOOK_SECRETS"):
        text = text.replace(f"# {name}=", f"{name}=")
    (tmp_path / ".env").write_text(text)

    settings = said(**dict.fromkeys(NEEDED))

    assert settings.connected == {Side.DRCHRONO}
    assert [secret.get_secret_value() for secret in settings.drchrono_webhook_secrets] == [
        made["DRCHRONO_WEBHOOK_SECRETS"]
    ]


def test_no_two_keys_or_tokens_ever_made_are_the_same():
    made = [
        value for _ in range(3) for name, value in fresh("https://sync.example.com").items() if name != "PUBLIC_URL"
    ]

    assert len(set(made)) == len(made)


def test_only_what_can_be_made_is_filled_in():
    can_be_made = {name for name, (_, example) in EXPECTED.items() if example.startswith("the output of: ")}

    assert fresh("https://sync.example.com").keys() == can_be_made | {"PUBLIC_URL"}


def test_a_file_with_values_has_the_same_variables_in_the_same_order():
    made = re.findall(r"^(?:# )?([A-Z][A-Z_0-9]*)=", render(fresh("https://sync.example.com")), re.MULTILINE)

    assert made == [name for _, name, _ in LINES]
