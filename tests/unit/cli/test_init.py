"""What `chronobridge init` writes and says: nothing is overwritten, nothing secret shown, every address exact."""

import os
import stat
from io import StringIO

import pytest
from rich.console import Console

from app.cli import commands, init
from app.errors import Misconfigured
from app.settings.env_file import EXPECTED, fresh

URL = "https://sync.example.com/chronobridge/of/a/clinic/with/a/very/long/address"
WRONG = [
    "",
    "ftp://a",
    "http://a",
    "https://u:p@a",
    "https://a b",
    "https://a\nX=1",
    "https://a:99999",
    "https://$HOME",
]


def text_of(step):
    return "\n".join(step.lines)


@pytest.fixture
def told():
    def tell(url, **options):
        out = StringIO()
        init.print_steps(Console(file=out, **options), url)
        return out.getvalue()

    return tell


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://sync.example.com/", "https://sync.example.com"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_address_is_taken_in_the_form_of_the_settings(given, taken):
    assert init.address(given) == taken


@pytest.mark.parametrize("given", WRONG)
def test_an_address_the_settings_would_refuse_is_refused_in_one_line(given):
    with pytest.raises(Misconfigured) as raised:
        init.address(given)

    assert str(raised.value).startswith("--public-url is wrong (")
    assert str(raised.value).endswith(f"expected {EXPECTED['PUBLIC_URL'][0]}; for example {EXPECTED['PUBLIC_URL'][1]}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_file_is_its_owners_alone(tmp_path, umask):
    before = os.umask(umask)
    init.write(tmp_path / ".env", "text")
    os.umask(before)

    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert (tmp_path / ".env").read_text() == "text"


def test_an_existing_file_stays_as_it_is(tmp_path):
    (tmp_path / ".env").write_text("mine")

    with pytest.raises(FileExistsError):
        init.write(tmp_path / ".env", "text")

    assert (tmp_path / ".env").read_text() == "mine"


def test_a_link_to_nowhere_is_not_followed(tmp_path):
    (tmp_path / ".env").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FileExistsError):
        init.write(tmp_path / ".env", "text")

    assert not (tmp_path / "elsewhere").exists()


def test_the_addresses_to_paste_follow_the_public_url(told):
    said = told(URL)

    assert f"Redirect URI:   {URL}/connect/drchrono/callback\n" in said
    assert f"Callback URL:   {URL}/webhooks/drchrono\n" in said


def test_the_webhook_is_registered_only_after_the_service_can_answer_its_verification():
    texts = [text_of(step) for step in init.steps(URL)]
    started = next(at for at, text in enumerate(texts) if "chronobridge up" in text)
    verified = next(at for at, text in enumerate(texts) if "verify button" in text)

    assert started < verified


def test_every_event_the_service_lives_on_is_named(told):
    for event in init.EVENTS:
        assert event in told(URL)


def test_only_settings_that_exist_are_named(told):
    words = {word.strip(".,:") for word in told(URL).replace("=", " ").split()}
    names = {word for word in words if word.isupper() and "_" in word} - set(init.EVENTS)

    assert names <= EXPECTED.keys()
    assert {"DRCHRONO_WEBHOOK_SECRETS", "SALESFORCE_LOGIN_URL", "SALESFORCE_ORG_ID"} <= names


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_broken_and_only_addresses_are_longer_than_eighty(told, width):
    said = told(URL, width=width)

    assert said == told(URL)
    assert [line for line in said.splitlines() if len(line) > 80 and "://" not in line] == []


def test_a_file_for_trying_says_that_the_vendors_need_https(told):
    assert "The vendors need an https address" in told("http://127.0.0.1:8000")
    assert "The vendors need an https address" not in told(URL)


def test_no_value_that_was_made_can_be_told(told):
    made = fresh(URL)

    assert [name for name, value in made.items() if value in told(URL)] == ["PUBLIC_URL"]


@pytest.mark.parametrize(("host", "local"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_up_says_where_the_console_is_and_how_to_sign_in(said, host, local):
    told = "\n".join(commands._welcome(said(HOST=host, PORT="8123")))

    assert f"http://{local}:8123/" in told
    assert "Sign in there with OPERATOR_TOKEN; `.env`" in told


def test_up_names_every_way_to_sign_in_that_is_set_up_and_no_secret(said):
    secret = "0123456789abcdef-fedcba9876543210"
    told = "\n".join(commands._welcome(said(OPERATORS=f"anna:{secret}")))

    assert "OPERATOR_TOKEN or a secret of OPERATORS" in told
    assert secret not in told


def test_init_names_the_console_and_how_to_sign_in():
    told = [line for step in init.steps("https://sync.example.com") for line in step.lines]

    assert "The console:    https://sync.example.com/" in told
    assert any("OPERATOR_TOKEN" in line for line in told)
