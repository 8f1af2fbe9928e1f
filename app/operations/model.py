"""The type that operations share: one page of a list, as console, API and command line get it alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListPage(Generic[T]):
    """A page of a list.

    next   what leads to the page behind it; None at the end
    total  how many there are on all pages; None where nobody asked
    """

    items: Sequence[T]
    next: str | None = None
    total: int | None = None


def first_of(found: Sequence[T], limit: int, place: Callable[[T], str], total: int | None = None) -> ListPage[T]:
    """Give the first `limit` of what was found; one more than that tells that there is a page behind.

    place  the name of an item's place in the list
    """
    shown = found[:limit]
    return ListPage(shown, place(shown[-1]) if len(found) > limit else None, total)
