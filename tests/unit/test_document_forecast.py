"""What is said of the calls that documents may have, and how a size and a time left are written."""

from datetime import UTC, datetime, timedelta

import pytest

from app.operations.queue import DocumentForecast
from app.web.pages import file_size

NOW = datetime(2026, 11, 3, 14, 10, tzinfo=UTC)
_LEFT = "their 50 DrChrono calls left this hour"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((38, 50, 0, None), "Documents: none waiting, 38 of their 50 DrChrono calls left this hour"),
        ((38, 50, 12, NOW), "Documents: 12 waiting, 38 of their 50 DrChrono calls left this hour"),
        (
            (0, 50, 60, NOW + timedelta(hours=22)),
            f"Documents: 60 waiting, 0 of {_LEFT}, the last not before 12:10 UTC on 04 November",
        ),
    ],
    ids=["none", "few", "more-than-an-hour-has"],
)
def test_the_calls_of_documents_are_said_in_a_sentence(given, words):
    assert DocumentForecast(*given).said(NOW) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [(1, "0.1 KB"), (9_400, "9.4 KB"), (48_213, "48 KB"), (2_300_000, "2.3 MB"), (1_200_000_000, "1,200.0 MB")],
)
def test_a_files_size_is_written_as_people_read_it(size, words):
    assert file_size(size) == words
