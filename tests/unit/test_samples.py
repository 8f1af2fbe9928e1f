"""The samples are shapes of the vendors; one that no test reads says nothing and is left out."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SAMPLES = sorted(path for path in (TESTS / "samples").rglob("*") if path.suffix in (".json", ".xml", ".csv"))
SOURCES = "".join(path.read_text() for path in TESTS.rglob("*.py"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_sample_is_used_by_a_test(sample):
    assert sample.stem in SOURCES
