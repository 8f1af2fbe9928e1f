"""The documents of patients: what is said of each, and its file; archived rather than deleted, and of no event.

Nothing makes a document unlike another: the same file may come twice, and both stay. That the newest content of a
changed file stands under the same id is inferred.
"""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from tests.standins.blobs import Blob
from tests.standins.drchrono.clock import Clock
from tests.standins.drchrono.remembered import Record, Remembered
from tests.standins.drchrono.rules import FieldError, Rule, day, key, text

FIRST_DOCUMENT_ID = 700000101
BLANK_DOCUMENT: dict[str, Any] = {
    "id": None, "doctor": None, "patient": None, "description": "", "date": None, "metatags": None, "document": None,
    "archived": False, "updated_at": "",
}  # fmt: skip


def _said(value: Any) -> str:
    given = text(value).strip()
    if not given:
        raise FieldError("This field may not be blank.")
    return given


def tags_in(metatags: str | None) -> list[str]:
    """The tags of a document; text that is no array of them is one tag, and nothing judges it."""
    try:
        tags = json.loads(metatags or "[]")
    except ValueError:
        tags = None
    return list(map(str, tags)) if isinstance(tags, list) else [metatags or ""]


RULES: dict[str, Rule] = {"doctor": key, "patient": key, "description": _said, "date": day, "metatags": text}
REQUIRED = ("doctor", "patient", "description", "date")
NO_FILE = "The submitted data was not a file. Check the encoding type on the form."
EMPTY_FILE = "The submitted file is empty."


@dataclass(frozen=True, slots=True)
class File:
    """A document's file as it was sent: its name there, its bytes, and where the file host has it."""

    name: str
    blob: Blob
    key: str


class Documents(Remembered):
    """Every document of the practices, by id, in the order they came."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.ids: list[int] = []
        self.files: dict[int, File] = {}
        self.by_key: dict[str, File] = {}
        self._looks: dict[int, int] = {}

    def add(self, fields: Record, name: str, blob: Blob, *, looks: int = 0) -> Record:
        """`looks`: so many looks at it find no file yet; below 0: none ever finds it."""
        document_id = self.ids[-1] + 1 if self.ids else FIRST_DOCUMENT_ID
        self.ids.append(document_id)
        self._looks[document_id] = looks
        self._put_file(document_id, name, blob)
        return self._keep({**BLANK_DOCUMENT, **fields, "id": document_id, "updated_at": self._clock.stamp()})

    def change(self, document_id: int, fields: Record, name: str = "", blob: Blob | None = None) -> Record:
        if blob is not None:
            self._put_file(document_id, name, blob)
        return self._keep({**self.records[document_id], **fields, "updated_at": self._clock.stamp()})

    def archive(self, document_id: int, *, is_a_change: bool) -> Record:
        """Marks it as archived, which need not move its `updated_at`."""
        changed = {"updated_at": self._clock.stamp()} if is_a_change else {}
        return self._keep({**self.records[document_id], "archived": True, **changed})

    def is_there(self, document_id: int) -> bool:
        """Whether this look finds the file; each one counts."""
        left = self._looks[document_id]
        self._looks[document_id] = max(left - 1, min(left, 0))
        return left == 0

    def _put_file(self, document_id: int, name: str, blob: Blob) -> None:
        file = File(name, blob, secrets.token_urlsafe(12))
        self.files[document_id] = self.by_key[file.key] = file
