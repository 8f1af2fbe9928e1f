"""What a document's description is to say is written only right after it was read."""

from time import monotonic

import pytest

from app.errors import Unavailable
from workers.document_poll import must_be_fresh


def test_what_was_read_a_moment_ago_may_be_written():
    must_be_fresh(monotonic())


def test_what_was_read_before_a_wait_for_a_call_is_not_written():
    with pytest.raises(Unavailable):
        must_be_fresh(monotonic() - 6)
