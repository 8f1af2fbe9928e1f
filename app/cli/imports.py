"""Imports of a process that stays: everything it will need, at its start."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from app.compat import without_soap


@contextmanager
def finding_no_garbage() -> Iterator[None]:
    """Import without looking for garbage meanwhile: there is none, and to look takes a fifth of the web's start.

    What a library brings along and nobody here uses stays out.
    """
    gc.disable()
    try:
        with without_soap():
            yield
    finally:
        gc.enable()
