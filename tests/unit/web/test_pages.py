"""Pages: nobody else can use them, what they show is escaped, and nobody is sent on to another site."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.web import pages
from app.web.pages import HEADERS, PageMessage, message_page, own_path, redirect

SITE = "https://sync.example.com"
EVIL = [
    "//evil.example", "///evil.example", r"/\evil.example", r"\\evil.example", r"/\/evil.example",
    "https://evil.example", "http:evil.example", "https:/evil.example", "javascript:alert(1)", "data:text/html,x",
    "/%0d%0aSet-Cookie:a=b", "/\r\nSet-Cookie: a=b", "/%2f%2fevil.example", "/\t/evil.example", "\t//evil.example",
    " //evil.example", "/ /evil.example", "/\x00/evil.example", "/@evil.example", "/a\n", "/a?next=//evil.example",
    "/a#b", "/;@evil.example", "evil.example", "", "/\u2044evil.example", "/\uff41",
]  # fmt: skip


@pytest.mark.parametrize("wanted", EVIL, ids=repr)
def test_what_is_no_plain_path_of_ours_leads_home(wanted):
    assert own_path(wanted) == "/"


def test_whoever_wanted_nothing_is_led_home():
    assert own_path(None) == "/"


@pytest.mark.parametrize("wanted", ["/", "/connect", "/connect/drchrono", "/records/drchrono/patient/22_0-1.a"])
def test_a_page_of_ours_is_where_one_comes_back_to(wanted):
    assert own_path(wanted) == wanted


@given(wanted=st.text("/\\.a:@%?#\t\r\n\x00e", max_size=12) | st.text())
@example(wanted="/..//evil.example")
@example(wanted="/.//evil.example")
def test_wherever_a_browser_goes_it_stays_with_us(wanted):
    there = urlsplit(urljoin(f"{SITE}/login", own_path(wanted)))

    assert f"{there.scheme}://{there.netloc}" == SITE
    assert own_path(wanted).isprintable()


@pytest.mark.parametrize(
    "answer", [message_page(PageMessage("Title", "Text"), None), redirect("/connect")], ids=["a page", "a way to one"]
)
@pytest.mark.parametrize("name", HEADERS)
def test_every_answer_to_a_browser_carries_what_protects_it(answer, name):
    assert answer.headers[name] == HEADERS[name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ],
)
def test_nothing_is_kept_framed_guessed_or_told_onwards(name, value):
    assert HEADERS[name] == value


def test_a_page_runs_our_script_only_and_sends_its_forms_to_us_only():
    policy = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))

    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("form-action", "script-src", "connect-src", "style-src", "img-src")} == {"'self'"}
    assert {policy[name] for name in ("base-uri", "frame-ancestors")} == {"'none'"}


def test_what_a_page_shows_is_escaped():
    body = message_page(PageMessage("<b>Canary</b>", '"><script>alert(1)</script>'), None).body.decode()

    assert "<script>" not in body
    assert "<b>Canary</b>" not in body
    assert "&lt;b&gt;Canary&lt;/b&gt;" in body


def test_a_page_has_the_status_of_what_it_says():
    assert message_page(PageMessage("Title", "Text", 403), None).status_code == 403


def test_a_browser_is_sent_on_to_read_and_never_to_post_again():
    assert (redirect("/connect").status_code, redirect("/connect").headers["location"]) == (303, "/connect")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("open https://a.example/connect/drchrono.", 'open <a id="x-1" href="/connect/drchrono">https://a.example/'),
        ("see https://a.example.evil/connect", "see https://a.example.evil/connect"),
        ("start `chronobridge work`", "start <code>chronobridge work</code>"),
        ("register https://a.example/webhooks/drchrono there", "register https://a.example/webhooks/drchrono there"),
        ("<b> & https://a.example/<b>", "&lt;b&gt; &amp; "),
        (None, ""),
    ],
)
def test_advice_links_the_addresses_that_people_open_and_nothing_else(text, shown):
    linked = pages.linked(text, "https://a.example", "x")

    assert linked.startswith(shown)
    assert "<b>" not in linked
