"""schemathesis draws requests from our own OpenAPI: none makes a 500, and every answer has the stated shape."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.flow.checked import served
from tests.flow.clinic import OPERATOR

TOOL = Path(sys.executable).with_name("schemathesis")
CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance"
OUR_END = "^/api/v1/connections/drchrono/disconnect$"  # after it little is left to be tried


async def test_no_request_that_the_schema_allows_or_forbids_breaks_the_api(clinic, known, tmp_path):
    for n in range(3):
        await clinic.arrives(await clinic.registers(first_name=f"Ada{n}", last_name="Test"), event="PATIENT_CREATE")

    with served(known) as listening:
        done = [
            await asyncio.to_thread(_tried, listening.public_url, tmp_path, 2, *all_but(OUR_END)),
            await asyncio.to_thread(_tried, listening.public_url, tmp_path, 2, "--include-path-regex", OUR_END),
        ]

    for each in done:
        assert each.returncode == 0, each.stdout[-6000:]
        assert "Tested" in each.stdout or "passed" in each.stdout, each.stdout[-2000:]


def all_but(path):
    return ["--include-path-regex", "^/api/v1/", "--exclude-path-regex", path]


def _tried(address, folder, examples, *which):
    return subprocess.run(
        [
            TOOL, "run", f"{address}/openapi.json", *which,
            "--header", f"Authorization: Bearer {OPERATOR}",
            "--checks", CHECKS, "--max-examples", str(examples), "--seed", "7", "--no-color",
            "--suppress-health-check", "all",
        ],
        capture_output=True, text=True, check=False, cwd=folder, timeout=280,
    )  # fmt: skip
