"""However many documents pass through a process of ours, it holds none of them whole."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from app.vendors.drchrono.documents import DrChronoDocuments
from tests.standins.tests.known import OURS as DOCTOR

SIZE_MB = 16  # more than the process may grow by
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def test_a_process_grows_by_less_than_one_document_while_several_pass_through(practice, org, salesforce):
    grew = (await passed_through(practice, org, documents=2, size_mb=SIZE_MB))["grew_mb"]

    assert await salesforce.count("ContentVersion") == 1 + 2
    assert grew < SIZE_MB / 2


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_hundred_documents_of_ten_megabytes_raise_the_process_by_less_than_thirty(practice, org, salesforce):
    grew = (await passed_through(practice, org, documents=100, size_mb=10))["grew_mb"]

    assert await salesforce.count("ContentVersion") == 1 + 100
    assert grew < 30


async def passed_through(practice, org, *, documents, size_mb, **more):
    """Have a process of its own send one file so often; gives what it says of itself."""
    drchrono = await practice.join()
    org.control.put("/_control/settings", json={"file_keep_bytes": 0}).raise_for_status()
    person = {"first_name": "Testa", "last_name": "Fixture", "gender": "Female", "doctor": DOCTOR}
    patient = practice.control.post("/_control/patients?silent=true", json=person).json()["id"]
    file = {"kind": "pdf", "size": size_mb * 2**20, "seed": 7}
    filed = practice.control.post("/_control/documents", json={"patient": patient, "made": file}).json()
    record = await DrChronoDocuments(drchrono).read(str(filed["id"]))
    plan = {
        "drchrono": practice.url, "salesforce": org.url, "ca_file": str(org.ca_file), "org": "00DSYN000000001",
        "address": record["document"], "documents": documents, "at_once": 2, **more,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.documents", json.dumps(plan),
        cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    return json.loads(said)
