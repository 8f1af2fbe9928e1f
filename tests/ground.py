"""What every test stands on, whoever started the run: a shell, a CI, `nohup make test &`.

A process inherits more than it is told: signals that are ignored or blocked, and variables. A background job of a
script ignores Ctrl-C, and so would each process that a test starts and interrupts; a COLUMNS cuts what is printed.
"""

import os
import signal

from app.settings import env_file

_OTHERS = (
    "COLUMNS",
    "LINES",
    "FORCE_COLOR",
    "NO_COLOR",
    "PYTHONUNBUFFERED",
    "PYTHONSAFEPATH",
    "CHRONOBRIDGE_TIME_SCALE",
    "TTY_COMPATIBLE",
)
_KEPT = {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE}  # Python ignores SIGPIPE itself, and says so to no child


def ordinary_signals():
    """Let no child of ours begin with a signal that is ignored or blocked; we go on ignoring what we were told to.

    A handler, unlike being ignored, is not handed down.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - _KEPT:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else _heard)


def _heard(_number, _frame):
    pass


def ordinary_variables(environ=os.environ):
    """Forget what says something of our service, of a terminal, or of a proxy on the way to loopback."""
    for name in list(environ):
        if env_file.is_ours(name) or name in _OTHERS or name.lower().endswith("_proxy"):
            del environ[name]
