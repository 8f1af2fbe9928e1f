"""`python -m tests.harness.demo [--once]`, which is what `chronobridge demo` becomes."""

import argparse
import sys


def main() -> int:
    """Tell the story, and give the exit code."""
    asking = argparse.ArgumentParser(prog="chronobridge demo")
    asking.add_argument("--once", action="store_true")
    asked = asking.parse_args()
    try:
        from tests.harness.demo.story import tell

        return tell(stays_up=not asked.once)
    except KeyboardInterrupt:
        return 1


if __name__ == "__main__":
    sys.exit(main())
