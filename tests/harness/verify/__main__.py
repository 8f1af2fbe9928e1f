"""`python -m tests.harness.verify`, which is what `chronobridge verify` becomes once it has looked at its arguments."""

import argparse
import sys


def main() -> int:
    """Tell the histories, and give the exit code."""
    asking = argparse.ArgumentParser(prog="chronobridge verify")
    asking.add_argument("--seeds", type=int)
    asking.add_argument("--minutes", type=float)
    asking.add_argument("--first", type=int, required=True)
    asking.add_argument("--size", type=int, required=True)
    asked = asking.parse_args()
    try:
        from rich.console import Console

        from tests.harness.verify.run import Asked, verify

        return verify(Asked(asked.seeds, asked.minutes, asked.first, asked.size), Console())
    except KeyboardInterrupt:
        return 1


if __name__ == "__main__":
    sys.exit(main())
