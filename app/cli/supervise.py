"""Child processes: started together, restarted when one falls, stopped together; and the embedded Valkey.

Children die with us on Linux (they ask the kernel to), so a killed parent leaves no server behind.
"""

import contextlib
import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.compat import valkey_binary

_PR_SET_PDEATHSIG = 1
_GRACE_S = 25.0
_STARTED_S = 15.0


def free_port() -> int:
    """Give a loopback port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(slots=True)
class Child:
    """One process with a name, its command, all of its environment, its folder, and where its output goes.

    None stands for ours: our environment, our folder, our output.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] | None = None
    log: Path | None = None
    cwd: Path | None = None
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it; its output is appended to its log."""
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(self.log.open("a")) if self.log else None
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                list(self.command),
                env=self.env,
                cwd=self.cwd,
                stdout=out,
                stderr=subprocess.STDOUT if out else None,
                stdin=subprocess.DEVNULL,
                text=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads are started before
            )

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Kill it as the power would, and wait until it is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self.is_running and self.process is not None:
            self.process.terminate()

    def wait(self, deadline: float) -> None:
        """Wait until it has stopped, and kill it at the deadline (monotonic)."""
        if self.process is not None:
            try:
                self.process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                self.kill()


def stop_all(children: Sequence[Child]) -> None:
    """Stop the children, the last started first, each within the grace time."""
    for child in reversed(children):
        child.ask_to_stop()
        child.wait(time.monotonic() + _GRACE_S)


def valkey(folder: Path, port: int, password: str = "") -> Child:
    """Give an embedded Valkey that keeps its append-only file in a folder.

    password  what it asks of whoever connects, so that nobody else on this machine can ring or listen; it is read from
              a file that is ours alone, because everybody may read a command line
    """
    folder.mkdir(parents=True, exist_ok=True)
    secrets = folder / "valkey.conf"
    secrets.unlink(missing_ok=True)
    secrets.touch(0o600)
    secrets.write_text(f"requirepass {password}\n" if password else "")
    command = [
        str(valkey_binary()), str(secrets.resolve()), "--port", str(port), "--bind", "127.0.0.1",
        "--dir", str(folder.resolve()), "--appendonly", "yes", "--save", "", "--loglevel", "warning",
    ]  # fmt: skip
    return Child("valkey", command, log=folder / "valkey.log")


def wait_for_port(port: int, child: Child, within_s: float = _STARTED_S) -> None:
    """Wait until something accepts on a loopback port.

    Raises  RuntimeError when the process ended first, or does not accept in time
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not child.is_running:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.02)
    where = f"; its output is in {child.log}" if child.log else ""
    raise RuntimeError(f"{child.name} did not start{where}")


@contextlib.contextmanager
def supervised(children: Sequence[Child]) -> Iterator[None]:
    """Stop the children at the end of the block, whatever ends it."""
    try:
        yield
    finally:
        stop_all(children)


def watch(children: Sequence[Child]) -> None:
    """Start again whatever falls, with a growing wait, until SIGTERM or SIGINT."""
    stopping: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, _frame: stopping.append(number))
    fell: dict[str, int] = {}
    while not stopping:
        for child in children:
            if not child.is_running and not stopping:
                code = child.process.returncode if child.process else None
                if code == 2:  # noqa: PLR2004 - wrong settings: starting again cannot help
                    raise SystemExit(2)
                fell[child.name] = fell.get(child.name, 0) + 1
                print(f"{child.name} ended with {code}; starting it again", file=sys.stderr)
                time.sleep(min(0.2 * fell[child.name], 5.0))
                child.start()
        time.sleep(0.1)
