"""`chronobridge verify` as an engineer runs it: real processes, a small history, the table, and the exit code."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.harness.cluster import ROOT


def run(folder, *arguments, timeout=120):
    environment = dict(os.environ) | {"COLUMNS": "100", "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


@pytest.mark.timeout(620)
def test_a_small_history_breaks_no_promise_and_every_promise_has_its_row():
    done = run(ROOT, "verify", "--seeds", "1", "--first", "35", "--size", "8", timeout=600)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "every promise was kept" in done.stdout
    rows = re.findall(r"^│ *(\d+) │ .* │ +([\d,]+) │ +(?:[\d,]+|none) │ +(\d+)│$", done.stdout, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 11))
    assert all(trials != "0" and violations == "0" for _, trials, violations in rows)


@pytest.mark.parametrize("command", ["verify", "demo"])
def test_a_production_image_says_in_one_line_what_is_missing_and_ends_with_one(command, tmp_path):
    for name in ("app", "workers"):
        shutil.copytree(ROOT / name, tmp_path / name)

    done = run(tmp_path, command)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"chronobridge: tests/harness and tests/standins missing in {tmp_path}: "
        "run this in a checkout, or in the demo image\n"
    )
