"""`make test`: what starts processes of ours and mostly waits for them, beside all the rest, on two cores.

    python -m tests.side_by_side [ARGUMENTS OF PYTEST]

The rest is told as it runs, then the browser's tests; the processes' run beside both is told whole at the end, so none
tells into another. 0 only when each gave 0.
"""

import signal
import sys
import tempfile
import time
from pathlib import Path

from app.cli.supervise import Child, stop_all

PYTEST = (sys.executable, "-m", "pytest")
PROCESSES, BROWSER = "tests/processes", "tests/browser"
REST = ("tests", f"--ignore={PROCESSES}", f"--ignore={BROWSER}", "-n", "2", "--dist", "worksteal")


def main(arguments):
    """Run all of it, and give the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that whatever runs is stopped
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chronobridge-test-") as folder:
        beside = Child("the processes", [*PYTEST, PROCESSES, *arguments], log=Path(folder) / "beside.log")
        here = [Child("the rest", [*PYTEST, *REST, *arguments]), Child("the browser", [*PYTEST, BROWSER, *arguments])]
        codes = {}
        try:
            beside.start()
            for run in here:
                print(f"\n{run.name}:", flush=True)
                run.start()
                codes[run.name] = run.process.wait()
            codes[beside.name] = beside.process.wait()
        except KeyboardInterrupt:
            codes[beside.name] = 1
        finally:
            stop_all([beside, *here])
            print(f"\n{beside.name}, beside that:\n{beside.log.read_text(errors='replace')}", end="")
    failed = [name for name, code in codes.items() if code]
    said = f"failed: {', '.join(failed)}" if failed else "all good"
    print(f"\n{', '.join(codes)}: {said}, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
