"""The log: what is not on the list does not pass, and neither an exception nor a library can carry a value out."""

import asyncio
import gc
import io
import json
import logging
import re
import sys
import threading
import warnings
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import arq
import pytest
import structlog
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from app import log
from app.log import ALLOWED, Lines, guard
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
def configured(stderr=None, form=log.LogFormat.AUTO):
    """Log as the service does, onto what is given; put the loggers back as they were."""
    root = logging.getLogger()
    before, hooks = (root.handlers[:], root.level), hooks_of_the_guard()
    root.handlers = []
    with redirect_stderr(stderr or Stderr()) as written:
        log.configure(form=form)
        yield written
    root.handlers, root.level = before
    sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning = hooks
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


@pytest.mark.parametrize(
    "say_so",
    [
        lambda library: library.warning("cannot reach %s as %s", CANARY, "Fixture"),
        lambda library: library.warning(f"cannot reach {CANARY}"),
        lambda library: library.warning(ValueError(CANARY)),
        lambda library: library.error("job failed: exception=%r", raised()),
        lambda library: library.error("failed", exc_info=raised()),
        lambda library: library.error("failed", exc_info=(None, None, None)),
    ],
    ids=["arguments", "f-string", "object", "repr", "exception", "no exception"],
)
def test_a_librarys_line_says_who_wrote_it_and_where_and_nothing_else(say_so):
    [line] = logged(lambda: say_so(logging.getLogger("httpx")))

    assert (line["event"], line["logger"]) == ("library.message", "httpx")
    assert all(frame.startswith("test_log.py:") for frame in line["frames"])
    assert CANARY not in json.dumps(line)


def test_a_librarys_text_that_is_known_by_heart_passes_without_its_arguments():
    [line] = logged(lambda: logging.getLogger("arq.worker").warning("job %s expired", CANARY))

    assert line["event"] == "job %s expired"
    assert CANARY not in json.dumps(line)


@pytest.mark.parametrize("text", sorted(log.KNOWN_BY_HEART))
def test_every_text_that_is_known_by_heart_is_a_librarys_own(text):
    folders = [Path(module.__file__).parent for module in (arq, asyncio, uvicorn)]
    written = text.removeprefix("Task ").removeprefix("Future ").encode("unicode_escape").decode()  # asyncio adds which

    assert any(written in file.read_text() for folder in folders for file in folder.rglob("*.py"))


async def in_a_task(loop):
    asyncio.create_task(fails(), name=CANARY)  # noqa: RUF006 - nobody waits for it
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()


async def in_a_callback(loop):
    loop.call_soon(fails_with, CANARY)
    await asyncio.sleep(0)


async def fails():
    raise raised()


def fails_with(_value):
    raise raised()


@pytest.mark.parametrize("somewhere", [in_a_task, in_a_callback])
async def test_what_fails_where_nobody_waits_is_said_by_class_and_place(somewhere):
    loop = asyncio.get_running_loop()
    with configured() as stderr:
        loop.set_exception_handler(log.loop_failed)
        await somewhere(loop)
        await asyncio.sleep(0)
    loop.set_exception_handler(None)

    [line] = stderr.lines
    assert (line["event"], line["error"], CANARY in json.dumps(line)) == ("loop.failed", "ValueError", False)
    assert any(frame.startswith("test_log.py:") for frame in line["frames"])


class Fallen:
    """Cannot be let go of without an error."""

    def __del__(self):
        raise raised()


def in_a_thread():
    thread = threading.Thread(target=fails_with, args=(CANARY,), name=CANARY)
    thread.start()
    thread.join()


def in_a_finalizer():
    Fallen()
    gc.collect()


def at_the_top():
    try:
        raise raised()
    except ValueError:
        sys.excepthook(*sys.exc_info())


def as_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = hooks_of_the_guard()[3]
        warnings.warn(f"a warning of {CANARY}", UserWarning, stacklevel=1)


def hooks_of_the_guard():
    return sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning


@pytest.mark.parametrize(
    ("act", "event", "error"),
    [
        (in_a_thread, "thread.failed", "ValueError"),
        (in_a_finalizer, "finalizer.failed", "ValueError"),
        (at_the_top, "process.failed", "ValueError"),
        (as_a_warning, "library.warning", "UserWarning"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_whatever_nobody_catches_is_said_by_class_and_place(act, event, error):
    [line] = logged(act)

    assert (line["event"], line["error"], CANARY in json.dumps(line)) == (event, error, False)
    assert any(frame.startswith("test_log.py:") for frame in line["frames"])


def test_a_librarys_extra_fields_are_not_written():
    [line] = logged(lambda: logging.getLogger("arq.worker").warning("job failed", extra={"payload": CANARY}))

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


def test_what_warns_once_a_minute_goes_through_the_guard_whenever_it_was_made():
    warn = log.OncePerMinute(lambda: 0.0)

    lines = logged(lambda: [warn("host.unknown", advice="here", patient=CANARY) for _ in range(3)])

    assert [(line["event"], line["count"], line["dropped"]) for line in lines] == [("host.unknown", 1, ["patient"])]


def test_a_line_that_stderr_does_not_take_ends_nothing(monkeypatch):
    lines, taken = Lines(), []

    class Full:
        def write(self, text):
            if not taken:
                taken.append(None)
                raise OSError(27, "File too large")
            taken.append(text)

        def flush(self):
            pass

    monkeypatch.setattr(sys, "stderr", Full())
    lines.msg("lost")
    lines.msg("written")

    assert taken == [None, "written\n"]


class Terminal(Stderr):
    def isatty(self):
        return True


def told(stderr, form, monkeypatch, **line):
    """Give the text of a line that is logged in a form, without its time, to a terminal or a pipe."""
    monkeypatch.setenv("NO_COLOR", "1")
    with configured(stderr, form):
        structlog.get_logger().warning("lane.paused", **line)
    return re.sub(r"^\d\d:\d\d:\d\d ", "", stderr.getvalue())


@pytest.mark.parametrize(
    ("stderr", "form", "is_json"),
    [
        (Terminal, log.LogFormat.AUTO, False),
        (Stderr, log.LogFormat.AUTO, True),
        (Terminal, log.LogFormat.JSON, True),
        (Stderr, log.LogFormat.TEXT, False),
    ],
)
def test_lines_are_text_on_a_terminal_and_json_in_a_pipe_unless_a_setting_says_so(monkeypatch, stderr, form, is_json):
    text = told(stderr(), form, monkeypatch, lane="live")

    assert text.startswith("{") is is_json


def test_a_line_for_people_says_level_event_and_fields_in_words(monkeypatch):
    text = told(Terminal(), log.LogFormat.AUTO, monkeypatch, lane="live", sides=["drchrono", "salesforce"], name=CANARY)

    assert text == "warning  lane paused  lane=live  sides=drchrono, salesforce  dropped=name\n"


def test_a_field_cannot_end_a_line_for_people_or_move_the_cursor(monkeypatch):
    text = told(Terminal(), log.LogFormat.AUTO, monkeypatch, cause="a\nb\x1b[2J")

    assert text == "warning  lane paused  cause=a\\nb\\x1b[2J\n"


def test_a_librarys_line_is_text_on_a_terminal_too(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    with configured(Terminal(), log.LogFormat.AUTO) as stderr:
        logging.getLogger("arq.worker").warning("job %s expired", CANARY)

    assert re.match(
        r"\d\d:\d\d:\d\d warning  job %s expired  logger=arq.worker  frames=test_log.py:", stderr.getvalue()
    )
