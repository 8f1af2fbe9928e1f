"""Who hears of each request that was made of a vendor, whatever it was for: the status of its answer, None for none."""

from collections.abc import Callable

Heard = Callable[[int | None], None]


def ignored(_status: int | None) -> None:
    """Hear of it, and do nothing."""
