"""A clinic that shares documents: what people do with files on both sides, and what is there."""

import base64
import hashlib

from app.runtime import open_inbox
from app.sync.model import Kind, Lane
from tests.flow.patience import EVENTS, ORG_ID
from workers.compare.reconcile import EVER, compare
from workers.document_poll import poll_documents_when_due

SHARED = "Share with CRM"
PDF, PNG = b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
FIELDS = {
    "DrChrono_Document_Id__c": {"kind": "string", "length": 64, "external_id": True, "case_sensitive": True},
    "Send_To_DrChrono__c": {"kind": "boolean"},
    "DrChrono_Tags__c": {"kind": "string", "length": 255},
    "DrChrono_Date__c": {"kind": "date"},
    "DrChrono_Archived__c": {"kind": "boolean"},
}


def a_pdf(words="page one"):
    return PDF + words.encode() + b"\n%%EOF\n"


class Folder:
    """The documents of a clinic."""

    def __init__(self, clinic):
        self.clinic, self._told = clinic, 0

    async def has_a_patient(self, **fields):
        """A linked patient, whose documents were listed when it was; gives its chart and its Contact's Id."""
        patient = await self.clinic.has_linked(**{"first_name": "Ada", "last_name": "Test", **fields})
        await self.polls()
        self.clinic.drchrono.delete("/_control/calls")
        self.clinic.salesforce.delete("/_control/calls")
        self.clinic.salesforce.delete("/_control/writes")
        return patient, (await self.clinic.link(patient)).salesforce_id

    def files(self, patient, content=None, **fields):
        """Somebody at the practice files a document in a patient's chart."""
        said = {
            "patient": patient["id"],
            "description": "Referral letter",
            "date": "2026-11-03",
            "metatags": f'["{SHARED}"]',
            "file": base64.b64encode(a_pdf() if content is None else content).decode(),
            **fields,
        }
        return self.clinic.drchrono.post("/_control/documents", json=said).raise_for_status().json()

    def edits(self, document, **fields):
        """Somebody at the practice edits a document. The clock moves on by seconds."""
        self.clinic.drchrono.put("/_control/clock", json={"offset_s": self.clinic._tick()})
        path = f"/_control/documents/{document['id']}"
        return self.clinic.drchrono.patch(path, json=fields).raise_for_status().json()

    def in_chart(self):
        """Every document as DrChrono holds it now."""
        return self.clinic.drchrono.get("/_control/documents").json()["documents"]

    def bytes_in_chart(self, document):
        return self.clinic.drchrono.get(f"/_control/documents/{document['id']}/file").content

    def reads(self):
        """How often the bytes of a document were read from DrChrono."""
        return self.clinic.calls("drchrono", "GET /store")

    def uploads(self, record_id, content=None, **fields):
        """Somebody uploads a File to a record in Salesforce, and ticks it; gives the version."""
        said = {
            "Title": "Consent form",
            "PathOnClient": "consent.pdf",
            "Send_To_DrChrono__c": True,
            "VersionData": base64.b64encode(a_pdf("consent") if content is None else content).decode(),
            **({"FirstPublishLocationId": record_id} if record_id else {}),
            **fields,
        }
        made = self.clinic.salesforce.post("/_control/records/ContentVersion", json=said)
        return made.raise_for_status().json()

    def human_edits_file(self, version, **fields):
        path = f"/_control/records/ContentVersion/{version['Id']}"
        return self.clinic.salesforce.patch(path, json=fields).raise_for_status().json()

    def versions(self):
        """Every version of a File, oldest first, as Salesforce holds it now."""
        found = self.clinic.salesforce.get("/_control/records/ContentVersion").json()["records"]
        return sorted(found, key=lambda one: one["Id"])

    def version(self):
        (found,) = self.versions()
        return found

    def file_links(self, version):
        """What a version's File is on, but for people."""
        links = self.clinic.salesforce.get("/_control/records/ContentDocumentLink").json()["records"]
        ours = [one for one in links if one["ContentDocumentId"] == version["ContentDocumentId"]]
        return {one["LinkedEntityId"]: one for one in ours if not one["LinkedEntityId"].startswith("005")}

    def takes_off(self, version, record_id):
        """Somebody takes a File off a record."""
        link = self.file_links(version)[record_id]["Id"]
        self.clinic.salesforce.delete(f"/_control/records/ContentDocumentLink/{link}").raise_for_status()

    def puts_on(self, version, record_id):
        said = {"ContentDocumentId": version["ContentDocumentId"], "LinkedEntityId": record_id, "ShareType": "I"}
        self.clinic.salesforce.post("/_control/records/ContentDocumentLink", json=said).raise_for_status()

    async def tells(self, version, operation="UPDATE"):
        """The package's trigger tells of a version; gives the status we answered."""
        return await self.tells_of("ContentVersion", version["Id"], operation)

    async def tells_of(self, table, record_id, operation, **more):
        """Salesforce's platform event about a record; gives the status we answered."""
        self._told += 1
        given = {
            "EventUuid": f"file-{self._told}",
            "Object_Api_Name__c": table,
            "Record_Id__c": record_id,
            "Operation__c": operation,
            **more,
        }
        headers = {"authorization": f"Bearer {EVENTS}"}
        sent = {"organizationId": ORG_ID, "events": [given]}
        return (await self.clinic.web.post("/webhooks/salesforce/events", json=sent, headers=headers)).status_code

    async def told(self, version, operation="UPDATE"):
        """The trigger tells of a version, and the workers settle it."""
        assert await self.tells(version, operation) == 200
        await self.clinic.settles()

    async def polls(self):
        """A worker lists the documents of patients that were asked for."""
        inbox = open_inbox(self.clinic.runtime, lambda _group: None)
        await poll_documents_when_due(self.clinic.runtime, inbox, lambda _kinds: None)
        await inbox.close()

    async def compares(self, since=None):
        """A worker compares the documents of both sides, and settles what it found."""
        await self.finds(since)
        await self.clinic.settles()

    async def finds(self, since=None):
        """A worker compares the documents of both sides; nobody has looked at what it found yet."""
        inbox = open_inbox(self.clinic.runtime, lambda _group: None)
        await compare(self.clinic.runtime, inbox, Kind.DOCUMENT, since)
        await inbox.close()

    async def loads(self):
        """A worker loads all documents there are, as a person has said, and settles what it found."""
        inbox = open_inbox(self.clinic.runtime, lambda _group: None)
        await compare(self.clinic.runtime, inbox, Kind.DOCUMENT, EVER, Lane.BACKFILL)
        await inbox.close()
        await self.clinic.settles()

    async def link(self):
        (found,) = await self.clinic.links(Kind.DOCUMENT)
        return found


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
