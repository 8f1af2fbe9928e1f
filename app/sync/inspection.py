"""What a document's content was seen to be, once it was inspected, and the only hash of it that is kept (pure)."""

from dataclasses import dataclass, field

from app.sync.base import HashKeys
from app.sync.file_types import FileType

_VERSION = 1  # of how content is hashed
_FIELD = "content"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a content was seen to be.

    md5     in hexadecimal, as Salesforce's Checksum is; to look for it there, not to be kept
    sha256  in hexadecimal; not to be kept either: whoever has the file could tell whose it is. The stamp may be
    """

    type: FileType
    size: int
    md5: str = field(repr=False)
    sha256: str = field(repr=False)

    def stamp(self, keys: HashKeys, scope: str) -> str:
        """Give the keyed hash of the content, versioned as the stamps of bases are.

        scope  whose it is, so that equal contents of two do not look equal
        """
        return keys.stamp(scope, _FIELD, _VERSION, self.sha256)

    def matches(self, keys: HashKeys, scope: str, stamp: str) -> bool | None:
        """Say whether a stamp was made of this content; None when it cannot be told."""
        return keys.matches(stamp, scope, _FIELD, _VERSION, self.sha256)
