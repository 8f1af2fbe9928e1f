"""The samples are shapes of the vendors; one that no test reads says nothing and is left out."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SAMPLES = sorted(path for path in (TESTS / "samples").rglob("*") if path.is_file() and path.suffix != ".md")
SOURCES = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_sample_is_named_by_a_test(sample):
    assert re.search(rf'"{re.escape(sample.stem)}({re.escape(sample.suffix)})?"', SOURCES)


@pytest.mark.parametrize("folder", ["drchrono", "salesforce"])
def test_the_samples_of_a_side_are_there(folder):
    assert sum(path.parent.name == folder for path in SAMPLES) > 40
