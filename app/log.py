"""Log lines, one wide line per attempt, and the guard that keeps patients and secrets out of them.

They are JSON, and on a terminal text for people: LOG_FORMAT says otherwise.

The guard is a list of what may pass, not of what may not: any other key is dropped and only its name is said. Whatever
else would write to stderr goes through it too: lines of libraries, warnings, and errors that nobody caught, in whatever
thread, task or finalizer. Of an error its class and place pass, never its message; of a library's line what wrote it
and where, and its text only where that is known by heart, because any other may have a value in it.
"""

import asyncio
import atexit
import logging
import os
import sys
import threading
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from time import monotonic
from types import TracebackType
from typing import Any

import structlog

ALLOWED = frozenset(
    name
    for names in (
        "event level timestamp logger records deliveries",
        "delivery_id side kind record_id link_id cause job_id attempt lane phase",
        "plan changed conflicts put_backs refused patched fields outcome disposition retry_in_s",
        "call status code vendor_request_id budget_left duration_ms lag_s excluded_by deleted_on",
        "error frames advice group_size worker_id pid port url sides role address count dropped channel",
    )
    for name in names.split()
)
_LONGEST = 200
_MINUTE_S = 60.0


class LogFormat(StrEnum):
    """How a line is written. AUTO: as text on a terminal, else as JSON."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class Lines:
    """Writes lines to stderr; those of one turn of the event loop go out in one write.

    A write lets other threads take Python's lock, so a line per request would cost far more than its bytes. Where
    stderr takes no more, as on a full disk, lines are lost: nothing that only wanted to be told of may fail of it.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        atexit.register(self.flush)

    def msg(self, line: str) -> None:
        """Write a line, at the latest at the end of this turn."""
        self._lines.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if self._loop is not loop:  # else its flush is on its way
            self._loop = loop
            loop.call_soon(self.flush)

    debug = info = warning = error = critical = exception = msg

    def flush(self) -> None:
        """Write what waits."""
        lines, self._lines, self._loop = self._lines, [], None
        if lines:
            with suppress(OSError, ValueError):  # the latter: it is closed
                sys.stderr.write("".join(f"{line}\n" for line in lines))
                sys.stderr.flush()


log: structlog.stdlib.BoundLogger = structlog.get_logger()


def guard(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    """Let through what is allowed to be logged, and name what was not."""
    kept = {key: _short(value) for key, value in line.items() if key in ALLOWED}
    if len(kept) < len(line) and (dropped := sorted(line.keys() - ALLOWED - {"exc_info"})):
        kept["dropped"] = dropped
    if line.get("exc_info"):
        kept |= _failure(line["exc_info"])
    return kept


def _short(value: Any) -> Any:
    """Give plain values and lists of them; of anything else, whose text may hold a value, only its class."""
    if isinstance(value, str):
        return value[:_LONGEST]
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_short(item) for item in value]
    return type(value).__name__


def _failure(exc_info: Any) -> dict[str, Any]:
    """Give an exception's class and where it came from, never its message."""
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info if isinstance(exc_info, BaseException) else None
    error = error or sys.exc_info()[1]
    if error is None:
        return {}
    trace: TracebackType | None = error.__traceback__
    frames = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in traceback.extract_tb(trace)]
    return {"error": type(error).__name__, "frames": frames[-8:]}


# texts of libraries that hold no value; their arguments are left out all the same
KNOWN_BY_HEART = frozenset(
    {
        "ASGI callable returned without completing response.",
        "ASGI callable returned without starting response.",
        "Exception in ASGI application\n",
        "Future exception was never retrieved",
        "Invalid HTTP request received.",
        "Task exception was never retrieved",
        "Task was destroyed but it is pending!",
        "Unsupported upgrade request.",
        "deserializing job %s failed",
        "job %s expired",
        "job %s, function %r not found",
    }
)


def _known(text: object) -> str:
    return text.strip() if type(text) is str and text in KNOWN_BY_HEART else "library.message"


_COLORS = {"debug": 2, "info": 32, "warning": 33, "error": 31, "critical": 31}
_PLAIN, _DIM, _BOLD = 0, 2, 1


class _Text:
    """A line for people: the time here, the level, the event in words, and its fields."""

    def __init__(self, *, is_colored: bool) -> None:
        self._is_colored = is_colored

    def __call__(self, _logger: Any, _method: str, line: MutableMapping[str, Any]) -> str:
        level = str(line.pop("level", "info"))
        at = datetime.fromisoformat(line.pop("timestamp")).astimezone()
        words = str(line.pop("event", "")).replace(".", " ").replace("_", " ")
        fields = "  ".join(f"{name}={_on_one_line(value)}" for name, value in line.items())
        event = f"{self._in(_BOLD, words)}  {fields}" if fields else self._in(_BOLD, words)
        return f"{self._in(_DIM, f'{at:%H:%M:%S}')} {self._in(_COLORS.get(level, _PLAIN), f'{level:8}')} {event}"

    def _in(self, color: int, text: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self._is_colored else text


def _on_one_line(value: object) -> str:
    """Give a value as a person reads it; what would move the cursor or end the line is spelled out."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if text.isprintable() else repr(text)[1:-1]


class _Foreign(logging.Formatter):
    """A line of another library: which wrote it and where; its text where that is known by heart."""

    def __init__(self, render: Callable[..., Any]) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"event": _known(record.msg), "level": record.levelname.lower(), "logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            line["exc_info"] = record.exc_info
        else:
            line["frames"] = [f"{record.filename}:{record.lineno}"]
        stamped = structlog.processors.TimeStamper(fmt="iso", utc=True)(None, "", line)
        return str(self._render(None, "", guard(None, "", dict(stamped))))


def loop_failed(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """Say what an event loop has to say of a task or a callback that nobody waits for."""
    structlog.get_logger().error("loop.failed", cause=_known(context.get("message")), exc_info=context.get("exception"))


def command_failed(error: BaseException) -> None:
    """Say what ended this process, or a part of it that nothing waits for."""
    structlog.get_logger().critical("process.failed", exc_info=error)


def _uncaught(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    command_failed(error)


def _thread_failed(found: threading.ExceptHookArgs) -> None:
    structlog.get_logger().error("thread.failed", exc_info=found.exc_value)


def _unraisable(found: Any) -> None:
    structlog.get_logger().error("finalizer.failed", exc_info=found.exc_value)


def _warned(_message: object, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
    place = f"{filename.rsplit('/', 1)[-1]}:{lineno}"
    structlog.get_logger().warning("library.warning", error=category.__name__, frames=[place])


class OncePerMinute:
    """Warns of what strangers can cause at will: each event once a minute at most, with how often it happened."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._said: dict[str, float] = {}
        self._since = Counter[str]()

    def __call__(self, event: str, **fields: Any) -> None:
        """Warn of an event, or count it for its next line. `count`: how often it happened since its last one."""
        self._since[event] += 1
        if self._now() - self._said.get(event, -_MINUTE_S) >= _MINUTE_S:
            self._said[event] = self._now()
            structlog.get_logger().warning(event, count=self._since.pop(event), **fields)


def configure(level: int = logging.INFO, form: LogFormat = LogFormat.AUTO) -> None:
    """Send every line of this process to stderr, through the guard, and whatever nobody catches with it."""
    lines, render = Lines(), _renderer(form)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            guard,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Foreign(render))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    sys.excepthook, sys.unraisablehook, threading.excepthook = _uncaught, _unraisable, _thread_failed
    warnings.showwarning = _warned  # type: ignore[assignment]


def _renderer(form: LogFormat) -> Callable[..., Any]:
    is_terminal = sys.stderr.isatty()
    if form is LogFormat.JSON or (form is LogFormat.AUTO and not is_terminal):
        return structlog.processors.JSONRenderer()
    return _Text(is_colored=is_terminal and "NO_COLOR" not in os.environ)
