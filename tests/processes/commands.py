"""`chronobridge` as a person at a terminal meets it: in this process, or where that is what it is about, in its own."""

import contextlib
import io
import os
import subprocess
import sys
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from app import cli
from tests.harness.cluster import ROOT

COMMAND = (sys.executable, "-m", "app.cli")
PATIENCE_S = 120


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


def ordinary(**variables):
    """An environment that says of the service only what it is given."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", **variables}


def chronobridge(folder, env, *arguments):
    """Run a command here, in a folder and an environment: a second and a half cheaper than a process of its own."""
    out, err = io.StringIO(), io.StringIO()
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning
    with (
        patch.dict(os.environ, env, clear=True),
        patch.object(sys, "argv", ["chronobridge", *arguments]),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        before = os.umask(0o022)
        try:
            cli.main()
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            os.umask(before)
    sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning = hooks  # a command has its own
    return Ended(code, out.getvalue(), err.getvalue())


def as_a_process(folder, env, *arguments):
    """Run a command as a process of its own."""
    return subprocess.run(
        [*COMMAND, *arguments], env=env, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@contextmanager
def started(folder, env, *arguments, **streams):
    """Start a command as a process of its own; it is gone at the end, however that comes."""
    with subprocess.Popen([*COMMAND, *arguments], env=env, cwd=folder, text=True, **streams) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
