"""What the documents say of the probes: every part is told of, and what is to be copied can be."""

import re
from pathlib import Path

import pytest
import yaml

from app.metrics.definitions import PARTS

DOCS = Path(__file__).parents[2] / "deploy" / "docs"
PROBES = (DOCS / "probes.md").read_text()
SNIPPETS = re.findall(r"^```yaml\n(.*?)^```", PROBES, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["web", "worker"])
def test_what_is_to_be_copied_is_yaml_and_asks_for_what_there_is(snippet):
    found = yaml.safe_load(snippet)

    for name in ("startupProbe", "livenessProbe"):
        how = found[name]
        assert how.get("httpGet", {}).get("path", "/livez") == "/livez", "a restart mends no database"
        assert how.get("exec", {}).get("command", ["chronobridge", "work", "--health"])[1:] == ["work", "--health"]
        assert 1 <= how["failureThreshold"] * how["periodSeconds"] <= 600
    assert found["terminationGracePeriodSeconds"] >= 30


def test_readiness_takes_a_web_out_within_ten_seconds():
    readiness = yaml.safe_load(SNIPPETS[0])["readinessProbe"]

    assert readiness["httpGet"]["path"] == "/readyz"
    assert readiness["failureThreshold"] * readiness["periodSeconds"] <= 10


def test_every_part_is_told_of():
    told = set(re.findall(r"`([a-z…_]+)`", PROBES.split("## The parts")[1].split("\n\n`state`")[0]))

    assert {re.sub(r"^(drchrono|salesforce)_", "…_", part) for part in PARTS} <= told
