"""A masked value tells its shape and not what it says."""

import pytest

from app.sync.diff import masked


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "(empty)"),
        ("", ""),
        ("Jo", "••"),
        ("Ada", "•••"),
        ("Miller", "M•••••"),
        ("O'Hara", "O'••••"),
        ("1950-03-12", "••••-••-••"),
        ("(555) 010-0142", "(•••) •••-•…"),
        ("two\nlines", "t•• •••••"),
        ("a very long note about a visit", "a •••• ••••…"),
    ],
)
def test_a_value_shows_its_shape(value, shown):
    assert masked(value) == shown
