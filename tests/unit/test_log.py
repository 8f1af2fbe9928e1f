"""The log: what is not on the list does not pass, and neither an exception nor a library can carry a value out."""

import asyncio
import io
import json
import logging
from contextlib import contextmanager, redirect_stderr

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app import log
from app.log import ALLOWED, guard
from app.sync.model import Snapshot

CANARY = "Canary"


class Stderr(io.StringIO):
    """What was written, and in how many writes."""

    writes = 0

    def write(self, text):
        self.writes += 1
        return super().write(text)

    @property
    def lines(self):
        return [json.loads(line) for line in self.getvalue().splitlines()]


@contextmanager
def configured():
    """Log as the service does, onto what is given; put the loggers back as they were."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers = []
    with redirect_stderr(Stderr()) as stderr:
        log.configure()
        yield stderr
    root.handlers, root.level = before
    structlog.reset_defaults()


def logged(act):
    """Give the lines an act leaves in the log."""
    with configured() as stderr:
        act()
    return stderr.lines


def say(event, **line):
    """Log a line through what was configured just now; the service's own logger would outlive the test."""
    structlog.get_logger().info(event, **line)


def raised(message=CANARY):
    try:
        try:
            raise KeyError(message)  # noqa: TRY301
        except KeyError as cause:
            raise ValueError(message) from cause
    except ValueError as error:
        return error


def test_a_line_is_one_json_object_with_its_level_and_time():
    [line] = logged(lambda: say("record.synced", kind="patient"))

    assert line.keys() == {"event", "level", "timestamp", "kind"}
    assert (line["event"], line["level"]) == ("record.synced", "info")


def test_an_unknown_key_is_dropped_and_only_its_name_is_said():
    [line] = logged(lambda: say("record.synced", kind="patient", first_name=CANARY, phone=CANARY))

    assert line["dropped"] == ["first_name", "phone"]
    assert CANARY not in json.dumps(line)


@given(keys=st.lists(st.text().filter(lambda key: key not in ALLOWED | {"exc_info"}), unique=True))
def test_no_value_passes_under_a_key_that_is_not_listed(keys):
    kept = guard(None, "info", {"event": "a", **dict.fromkeys(keys, CANARY)})

    assert kept.pop("dropped", []) == sorted(keys)
    assert kept == {"event": "a"}


@pytest.mark.parametrize(
    "name", ["first_name", "last_name", "date_of_birth", "phone", "email", "body", "token", "notes"]
)
def test_no_name_of_a_patients_value_is_on_the_list(name):
    assert name not in ALLOWED


def test_a_long_text_is_cut():
    [line] = logged(lambda: say("a", cause="x" * 1000))

    assert line["cause"] == "x" * 200


def test_an_exception_is_its_class_and_where_it_came_from_and_never_its_message():
    def fail():
        try:
            raise raised()
        except ValueError:
            structlog.get_logger().exception("pass.failed", kind="patient")

    [line] = logged(fail)

    assert line["error"] == "ValueError"
    assert line["frames"]
    assert all(frame.startswith("test_log.py:") for frame in line["frames"])
    assert CANARY not in json.dumps(line)


@pytest.mark.parametrize(
    "exc_info",
    [raised(), (ValueError, raised(), None), (None, None, None), True],
    ids=["error", "triple", "nothing", "current"],
)
def test_however_an_exception_is_handed_over_its_message_stays_here(exc_info):
    try:
        raise raised()
    except ValueError:
        kept = guard(None, "info", {"event": "a", "exc_info": exc_info})

    assert kept["error"] == "ValueError"
    assert CANARY not in json.dumps(kept)


@pytest.mark.parametrize(
    "line",
    [{"error": ValueError(CANARY)}, {"plan": {"first_name": CANARY}}, {"plan": Snapshot("1", {"first_name": CANARY})}],
    ids=["exception", "fields with values", "snapshot"],
)
def test_an_object_under_an_allowed_key_does_not_spell_itself_out(line):
    assert CANARY not in json.dumps(logged(lambda: say("record.failed", **line)))


def test_a_library_loses_its_arguments():
    [line] = logged(lambda: logging.getLogger("httpx").warning("cannot reach %s as %s", CANARY, "Fixture"))

    assert (line["event"], line["logger"], line["level"]) == ("cannot reach %s as %s", "httpx", "warning")
    assert CANARY not in json.dumps(line)


def test_a_librarys_extra_fields_are_not_written():
    [line] = logged(lambda: logging.getLogger("arq.worker").warning("job failed", extra={"payload": CANARY}))

    assert CANARY not in json.dumps(line)


def test_a_librarys_exception_loses_its_message():
    [line] = logged(lambda: logging.getLogger("sqlalchemy").error("failed", exc_info=raised()))

    assert line["error"] == "ValueError"
    assert CANARY not in json.dumps(line)


def test_a_librarys_small_talk_is_not_written():
    assert logged(lambda: logging.getLogger("httpx").info("HTTP Request: GET /patients?last_name=Canary")) == []


def test_a_line_outside_an_event_loop_is_written_at_once():
    with configured() as stderr:
        say("first")
        first = [line["event"] for line in stderr.lines]

    assert first == ["first"]


async def test_the_lines_of_one_turn_are_all_written_in_order_and_in_one_write():
    with configured() as stderr:
        for number in range(3):
            say(f"line {number}")
        await asyncio.sleep(0)

    assert [line["event"] for line in stderr.lines] == ["line 0", "line 1", "line 2"]
    assert stderr.writes == 1
