"""`make test`: what starts processes of ours and mostly waits for them, beside all the rest, on two cores.

    python -m tests.side_by_side [ARGUMENTS OF PYTEST]

The rest is told as it runs; beside it the processes' tests run, and the browser's with `verify`, which takes as long as
all of them: both are told whole at the end, so none tells into another. 0 only when each gave 0.
"""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from app.cli.supervise import Child, stop_all

PYTEST = (sys.executable, "-m", "pytest")
PROCESSES, BROWSER, VERIFY = "tests/processes", "tests/browser", "tests/processes/test_verify.py"
WORKERS = (os.cpu_count() or 1) + 1  # each waits a sixth of its time, for PostgreSQL and for what it has started
REST = ("tests", f"--ignore={PROCESSES}", f"--ignore={BROWSER}", "-n", str(WORKERS), "--dist", "worksteal")


def main(arguments):
    """Run all of it, and give the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that whatever runs is stopped
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chronobridge-test-") as folder:
        rest = Child("the rest", [*PYTEST, *REST, *arguments])
        parts = {"the processes": (PROCESSES, f"--ignore={VERIFY}"), "the browser and verify": (BROWSER, VERIFY)}
        beside = [
            Child(name, [*PYTEST, *part, *arguments], log=Path(folder) / f"{name.replace(' ', '-')}.log")
            for name, part in parts.items()
        ]
        codes = {}
        try:
            for run in (rest, *beside):
                run.start()
            for run in (*beside, rest):
                codes[run.name] = run.process.wait()
        except KeyboardInterrupt:
            codes[rest.name] = 1
        finally:
            stop_all([rest, *beside])
            for run in beside:
                if run.log.exists():
                    print(f"\n{run.name}, beside that:\n{run.log.read_text(errors='replace')}", end="")
    failed = [name for name, code in codes.items() if code]
    said = f"failed: {', '.join(failed)}" if failed else "all good"
    print(f"\n{', '.join(codes)}: {said}, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
