"""An error that no command expects: said by class and place on one line, and no traceback with its message."""

import json
import logging
import sys
import threading
import warnings

import pytest
import structlog

from app import cli
from app.cli import commands

CANARY = "Canary"


@pytest.fixture
def restored():
    """The hooks and loggers of this process, put back as they were."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning
    yield
    sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning = hooks
    root.handlers, root.level = before
    structlog.reset_defaults()


@pytest.fixture
def falling():
    """A command that falls over a patient's value, held in a local, too."""

    @commands.app.command("fall")
    def fall():
        name = CANARY
        raise RuntimeError(name)

    yield
    commands.app.registered_commands.pop()


@pytest.mark.usefixtures("restored", "falling")
def test_a_command_that_fails_unexpectedly_shows_class_and_place_and_no_message(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["chronobridge", "fall"])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    said = capsys.readouterr()
    line = json.loads(said.err)
    assert (ended.value.code, line["event"], line["error"]) == (1, "process.failed", "RuntimeError")
    assert line["frames"][-1].startswith("test_unexpected.py:")
    assert CANARY not in said.out + said.err
