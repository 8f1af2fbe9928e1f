"""What `verify` tells: which seeds are drawn, what its processes say, and the table with every violation."""

import json
import re
from dataclasses import asdict
from io import StringIO

import pytest
from rich.console import Console

from app.cli.supervise import Child
from tests.harness.verify.one import News, Outcome, parsed
from tests.harness.verify.promises import PROMISES
from tests.harness.verify.run import Asked, Telling
from tests.harness.verify.seen import Found
from tests.harness.verify.table import ended, show


def outcome(*violations, seed=7, trials=10):
    found = {promise.number: Found(trials) for promise in PROMISES}
    found[4] = Found(trials, violations)
    return Outcome(
        seed, found, {"FLUSHALL": 2, "kill -9 of the web": 1}, 300, 90.0, "/var/tmp/logs" if violations else ""
    )


def shown(*outcomes):
    out = StringIO()
    code = show(Console(file=out, width=100), outcomes, 131.0)
    return code, out.getvalue()


@pytest.mark.parametrize(
    ("asked", "seeds"),
    [
        (Asked(3, None), [1, 2, 3]),
        (Asked(1, None, first=42), [42]),
        (Asked(3, 10.0, first=5), [5, 6, 7]),
        (Asked(None, 0.0), []),
        (Asked(3, 0.0), []),
    ],
    ids=[
        "as many as asked for",
        "the one to repeat",
        "fewer than there is time for",
        "no time",
        "less time than seeds",
    ],
)
def test_seeds_are_drawn_in_order_until_there_are_enough_or_time_is_up(asked, seeds):
    assert list(asked.drawn()) == seeds


def test_without_a_number_of_seeds_time_alone_ends_it():
    drawn = Asked(None, 10.0).drawn()

    assert [next(drawn) for _ in range(100)] == list(range(1, 101))


def test_an_outcome_is_read_as_it_was_said():
    said = outcome("2 writes for 1 edits")

    assert parsed(json.dumps({"news": None, "outcome": asdict(said)})) == said


def test_lines_are_taken_in_as_they_are_finished(tmp_path):
    log = tmp_path / "7.log"
    one = Telling(7, Child("history 7", [], log=log), News(7, "starting", 0))
    line = json.dumps({"news": {"seed": 7, "act": "the calm", "faults": 2}, "outcome": None})
    log.write_text(line[:20])
    one.hears()
    before = one.news.act
    log.write_text(f"{line}\n")
    one.hears()

    assert (before, one.news) == ("starting", News(7, "the calm", 2))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "RuntimeError: waited 30 s for the service to be ready",
            "RuntimeError: waited 30 s for the service to be ready",
        ),
        (json.dumps({"news": None, "outcome": None, "problem": "valkey did not start"}), "valkey did not start"),
    ],
    ids=["a traceback", "what it said itself"],
)
def test_why_a_history_had_no_outcome_is_kept(line, why, tmp_path):
    log = tmp_path / "7.log"
    log.write_text(f"Traceback (most recent call last):\n{line}\n")
    one = Telling(7, Child("history 7", [], log=log), News(7, "starting", 0))

    one.hears()

    assert (one.outcome, one.strange) == (None, why)


def test_a_kept_run_shows_a_row_for_each_promise_and_gives_zero():
    code, said = shown(outcome(seed=1), outcome(seed=2))

    assert code == 0
    assert "every promise was kept" in said
    assert all(re.search(rf"│ *{promise.number} │ {promise.words.split()[0]}", said) for promise in PROMISES)
    assert re.search(r"2 histories, 131 s +│ +200 │ +6 │ +0│", said)


def test_a_broken_run_shows_each_violation_and_how_to_see_it_again_and_gives_one():
    code, said = shown(outcome(seed=1), outcome("2 writes for 1 edits", "calls went on", seed=7))

    assert code == 1
    assert "2 violations" in said
    assert "  4  seed 7: 2 writes for 1 edits\n  4  seed 7: calls went on\n" in said
    assert "chronobridge verify --seeds 1 --first 7; its logs: /var/tmp/logs" in said


def test_a_promise_that_nothing_put_to_the_test_is_named():
    assert "nothing was tried of: Nothing acknowledged is lost" in shown(outcome(trials=0))[1].replace("\n", " ")


def test_no_history_at_all_is_no_proof():
    assert shown()[0] == 1


def test_the_table_fits_a_terminal_of_a_hundred_columns():
    assert max(map(len, shown(outcome("x"))[1].splitlines())) <= 100


def test_the_line_of_a_history_says_what_it_came_to():
    assert str(ended(outcome("x"))) == "seed 7       90 s    300 edits     3 faults   1 violation"
