"""What the images are made of: the production image carries no test, the demo's the stand-ins and the harness.

Read from deploy/Dockerfile and .dockerignore as they are, for a machine without Docker.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
OF_TESTS = {"tests/__init__.py", "tests/standins", "tests/harness"}


def copied():
    """Give what each stage of the Dockerfile copies out of the checkout, by the stage's name."""
    stages, name = {}, ""
    for line in (ROOT / "deploy" / "Dockerfile").read_text().splitlines():
        if begun := re.fullmatch(r"FROM (\S+) AS (\w+)", line):
            name = begun[2]
            stages[name] = set()
        elif line.startswith("COPY "):
            stages[name] |= set(line.split()[1:-1])
    return stages


def test_the_production_image_holds_the_service_and_no_test():
    stages = copied()

    assert {"app", "workers"} <= stages["app"]
    assert [one for name in ("base", "app") for one in stages[name] if one.startswith((".", "tests"))] == []


def test_the_demo_image_adds_what_its_story_needs_and_nothing_else():
    assert copied()["demo"] == OF_TESTS


def test_what_is_copied_reaches_the_builder_and_nothing_else_does():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}

    assert "*" in lines
    assert let_in == set().union(*copied().values())
    assert [one for one in let_in if not (ROOT / one).exists()] == []
    assert lines.index("tests/standins/tests") > lines.index("!tests/standins"), "the last line that fits counts"
