"""Imports of a process that stays: everything it will need, at its start."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def finding_no_garbage() -> Iterator[None]:
    """Import without looking for garbage meanwhile: there is none, and to look takes a fifth of the web's start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
