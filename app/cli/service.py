"""The processes that stay, a web and a worker: what they import at their start, and how they begin."""

import asyncio
import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.compat import without_guessing, without_orm, without_rich, without_soap
from app.errors import SCHEMA_BEHIND, StoreUnavailable

if TYPE_CHECKING:
    from app.settings.fields import Settings


@contextmanager
def finding_no_garbage() -> Iterator[None]:
    """Import without looking for garbage meanwhile: there is none, and to look takes a fifth of the web's start.

    What libraries bring along and nobody here uses stays out.
    """
    gc.disable()
    try:
        with without_soap(), without_orm(), without_rich(), without_guessing():
            yield
    finally:
        gc.enable()


def serve() -> None:
    """Answer the vendors, the probes and the operator, until SIGTERM or SIGINT."""
    with finding_no_garbage():
        from app.main import create_app
        from app.settings import env_file
        from app.sync.mappings import file
        from app.web.server import limits_of_this_process, server

    known = env_file.load()
    file.load(known.mapping_file)
    _begin(known)
    for name in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again once it has stopped: that is a good end
        signal.signal(name, lambda *_: sys.exit(0))
    server(
        create_app(known, has_the_process=True),
        host=known.host,
        port=known.port,
        proxies=known.trusted_proxies,
        is_secure=known.is_secure,
        limits=limits_of_this_process(),
    ).run()


def work() -> None:
    """Apply changes, until SIGTERM or SIGINT."""
    with finding_no_garbage():
        import uvloop

        from app.settings import env_file
        from app.sync.mappings import file
        from workers.main import work as work_on

    known = env_file.load()
    file.load(known.mapping_file)
    _begin(known)
    uvloop.run(work_on(known))


def _begin(known: "Settings") -> None:
    """Begin a process that stays: its log, and what a person should know of its settings and its database."""
    from app import log
    from app.compat import share_heap
    from app.operations import maintenance
    from app.settings import env_file

    share_heap()
    log.configure(form=known.log_format)
    for says in env_file.near_misses():
        log.log.warning("setting.unknown", advice=says)
    try:
        if asyncio.run(maintenance.is_behind(known.database_url, known.ca_bundle)):
            print(f"chronobridge: {SCHEMA_BEHIND}", file=sys.stderr)
    except StoreUnavailable as error:
        print(f"chronobridge: {error}; starting anyway", file=sys.stderr)
