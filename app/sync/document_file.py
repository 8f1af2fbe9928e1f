"""What Salesforce says of a document's File beside its mapped fields. What is in it, `file_types.py` tells."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What Salesforce says of one version of a File.

    document_id  the File that it is a version of; `number`: the how manieth
    checksum     MD5 of its bytes, in hex; `size` in bytes
    contact_id   the record of its patient that it is on; None where it is on no patient's
    created_at   when it was uploaded, as Salesforce says it
    earlier      DrChrono's id of the document that an earlier version of the File is linked to
    waits        an earlier version of the File is on its way to become a document, which comes first; or it names one
                 of which an upload of ours is looked for, and may be what that has made
    doctor       the patient's doctor, by DrChrono's id
    others_live  another version of the File is a document that DrChrono has not archived; told of what has come to both
                 sides, where what DrChrono archives is taken off in Salesforce
    unlinked     the records it is on that DrChrono does not know, where it is on no other: it is whose comes first
    """

    document_id: str
    number: int = 1
    checksum: str = ""
    size: int = 0
    extension: str = ""
    contact_id: str | None = None
    created_at: str = ""
    earlier: str | None = None
    waits: bool = False
    doctor: str | None = None
    others_live: bool = False
    unlinked: tuple[str, ...] = ()
