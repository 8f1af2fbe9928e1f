"""`chronobridge …`: runs what was asked for, and says in one line why it ended.

Exit 0 good, 1 failed, 2 wrong usage or settings.

A web and a worker stay for weeks, so they load no command line: `serve` and `work` without an option begin at once.
"""

import logging
import os
import sys
from pathlib import Path

from app.errors import Misconfigured, SchemaBehind, StoreUnavailable, SyncError

_COMPLETING = "_CHRONOBRIDGE_COMPLETE"  # what a shell asks by


def main() -> None:
    """Run a command; wrong settings end it with one line for each and no traceback.

    Whatever a command writes (database, keys, logs) is nobody else's to read.
    """
    os.umask(0o077)
    try:
        _run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    except Misconfigured as error:
        from app.settings.env_file import near_misses

        lines = str(error).splitlines()
        for line in (*lines, *near_misses()):
            print(f"chronobridge: {line}", file=sys.stderr)
        if len(lines) > 1 and not Path(".env").exists():
            print(
                "chronobridge: there is no .env here; `chronobridge init` writes one with fresh keys", file=sys.stderr
            )
        sys.exit(2)
    except SchemaBehind as error:
        print(f"chronobridge: {error}", file=sys.stderr)
        sys.exit(1)
    except StoreUnavailable as error:
        print(f"chronobridge: {error}; check DATABASE_URL and that the database runs", file=sys.stderr)
        sys.exit(1)
    except SyncError as error:
        print(f"chronobridge: {error}; `chronobridge check` says what is wrong", file=sys.stderr)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - said by class and place, never by its message
        from app import log

        log.configure(logging.ERROR)
        log.command_failed(error)
        sys.exit(1)


def _run(arguments: list[str]) -> None:
    if arguments in (["serve"], ["work"]) and _COMPLETING not in os.environ:
        from app.cli import service

        (service.serve if arguments == ["serve"] else service.work)()
        return
    from app.cli.commands import app
    from app.compat import answer_completion

    if _COMPLETING in os.environ:
        answer_completion()
    app()
