"""Whoever starts the tests, the processes they start begin as from a shell: Ctrl-C ends them, settings are theirs."""

import subprocess
import sys

from tests.ground import ordinary_variables

STARTS_A_CHILD = """
import signal, subprocess, sys
from tests.ground import ordinary_signals
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
ordinary_signals()
signal.raise_signal(signal.SIGINT)
subprocess.run([sys.executable, "-c", '''
import signal
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.pthread_sigmask(signal.SIG_BLOCK, ()))
'''], check=True)
"""


def test_in_the_background_of_a_script_which_ignores_interrupts_a_child_can_still_be_interrupted():
    done = subprocess.run([sys.executable, "-c", STARTS_A_CHILD], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "True set()\n", "")


def test_what_the_shell_says_of_the_service_or_of_a_terminal_is_forgotten():
    environ = {"PATH": "/bin", "operator_token": "x", "DATABASE_URL": "x", "COLUMNS": "20", "https_proxy": "x"}

    ordinary_variables(environ)

    assert environ == {"PATH": "/bin"}
