"""Imports of a process that stays: everything it will need, at its start."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from app.compat import without_orm, without_soap


@contextmanager
def finding_no_garbage() -> Iterator[None]:
    """Import without looking for garbage meanwhile: there is none, and to look takes a fifth of the web's start.

    What libraries bring along and nobody here uses stays out.
    """
    gc.disable()
    try:
        with without_soap(), without_orm():
            yield
    finally:
        gc.enable()
