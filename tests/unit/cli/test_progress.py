"""Progress: a bar for a person, plain lines for a log; the last count of every part is always told."""

import re
from io import StringIO

import pytest
from rich.console import Console

from app.cli.progress import showing


@pytest.fixture
def told():
    """Gives what two parts of work leave on a console."""

    def tell(**options):
        out = StringIO()
        with showing(Console(file=out, width=80, **options)) as say:
            for rows in range(0, 1500, 500):
                say("bodies", rows, 1000)
            say("nothing", 0, 0)
            say("tokens", 2, 2)
        return out.getvalue()

    return tell


def test_piped_it_is_one_plain_line_for_each_part(told):
    assert told() == "bodies: 1,000 of 1,000 rows\ntokens: 2 of 2 rows\n"


def test_on_a_terminal_it_is_a_bar_for_each_part(told):
    said = told(force_terminal=True, legacy_windows=False)

    assert "\x1b[" in said
    for word in ("bodies", "1000/1000", "tokens", "2/2"):
        assert word in said
    assert "nothing" not in said


def test_piped_a_part_tells_its_rate_its_end_and_what_is_beside(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    out = StringIO()

    with showing(Console(file=out, width=200)) as say:
        say("patients", 0, 1000, "499 calls left")
        say("patients", 500, 1000, "497 calls left")

    (line,) = out.getvalue().splitlines()
    assert re.fullmatch(r"patients: 500 of 1,000 rows, [1-9]\d*/s, done by \d\d:\d\d UTC, 497 calls left", line)


def test_on_a_terminal_a_part_under_way_tells_when_it_ends_and_what_is_beside():
    out = StringIO()

    with showing(Console(file=out, width=120, force_terminal=True, legacy_windows=False)) as say:
        say("patients", 0, 1000, "499 calls left")
        say("patients", 250, 1000, "499 calls left")
        say("patients", 500, 1000, "497 calls left")

    for word in ("500/1000", "/s", "done by", "UTC", "497 calls left"):
        assert word in out.getvalue()


def test_no_work_says_nothing():
    out = StringIO()

    with showing(Console(file=out)):
        pass

    assert out.getvalue() == ""
