"""`make test`: what starts processes of ours and mostly waits for them, beside all the rest, on two cores.

    python -m tests.side_by_side [ARGUMENTS OF PYTEST]

The rest is told as it runs, the other run whole at its end, so neither tells into the other. 0 only when both gave 0.
"""

import signal
import sys
import tempfile
import time
from pathlib import Path

from app.cli.supervise import Child, stop_all

WAITING = ("tests/processes", "tests/browser")
PYTEST = (sys.executable, "-m", "pytest")
REST_BESIDE = "2"


def main(arguments):
    """Run both, and give the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that both are stopped
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chronobridge-test-") as folder:
        waiting = Child("the processes", [*PYTEST, *WAITING, *arguments], log=Path(folder) / "waiting.log")
        spared = [f"--ignore={each}" for each in WAITING]
        rest = Child("the rest", [*PYTEST, "tests", *spared, "-n", REST_BESIDE, "--dist", "worksteal", *arguments])
        try:
            for run in (waiting, rest):
                run.start()
            codes = {"the rest": rest.process.wait()}
            print(f"\n{', '.join(WAITING)}, run beside that:", flush=True)
            codes[waiting.name] = waiting.process.wait()
            print(waiting.log.read_text(errors="replace"), end="")
        except KeyboardInterrupt:
            return 1
        finally:
            stop_all([waiting, rest])
    failed = [name for name, code in codes.items() if code]
    said = f"failed: {', '.join(failed)}" if failed else "both good"
    print(f"\nboth runs, side by side: {said}, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
