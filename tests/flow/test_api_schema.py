"""schemathesis draws requests from our own OpenAPI: none makes a 500, and every answer has the stated shape."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.cluster import town

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]
TOOL = Path(sys.executable).with_name("schemathesis")
CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance"


OUR_END = "^/api/v1/connections/drchrono/disconnect$"  # after it little is left to be tried


def test_no_request_that_the_schema_allows_or_forbids_breaks_the_api(tmp_path):
    with town(tmp_path) as here:
        for n in range(3):
            here.drchrono.post("/_control/patients", json={"first_name": f"Ada{n}", "last_name": "Test"})
        here.wait_until(here.is_quiet, "the patients to be known")
        done = [
            _tried(here, tmp_path, 6, "--include-path-regex", "^/api/v1/", "--exclude-path-regex", OUR_END),
            _tried(here, tmp_path, 2, "--include-path-regex", OUR_END),
        ]

    for each in done:
        assert each.returncode == 0, each.stdout[-6000:]
        assert "Tested" in each.stdout or "passed" in each.stdout, each.stdout[-2000:]


def _tried(here, folder, examples, *which):
    return subprocess.run(
        [
            TOOL, "run", f"{here.given['PUBLIC_URL']}/openapi.json", *which,
            "--header", f"Authorization: Bearer {here.operator_token}",
            "--checks", CHECKS, "--max-examples", str(examples), "--seed", "7", "--no-color",
            "--suppress-health-check", "all",
        ],
        capture_output=True, text=True, check=False, cwd=folder, timeout=280,
    )  # fmt: skip
