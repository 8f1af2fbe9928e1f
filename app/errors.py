"""Every error of the service, drawn as one family; the standard library only.

Expected outcomes are return values. These are for what the caller could not have known. Each class answers one
question, `disposition`: what becomes of a record whose attempt ended in it. Only `app/sync/retry.py` asks it. Where a
class says nothing, that is a dead letter.

    SyncError
      x DeliveryRefused                     answered at the door; nothing kept
        + SignatureInvalid        401
      x StoreUnavailable          503       the delivery could not be made durable: the vendor must send again
        + SchemaBehind            retry     the database is there, and nobody has migrated it
        + ValueRefused            limited   the database is there, and does not take a value or give it back
      x Undecryptable             retry     no configured key opens it; it waits until the key is back
        + Displaced               retry     it was sealed for another row or column, so it is not opened here
      x Unexpected                limited   nobody foresaw it: one record fails of it, and its neighbors go on
      x BatchFailed               retry     every record of a batch fails of the same: none of them is to blame
      x DocumentError(cause)                about the bytes of a document, whoever holds it
        + DocumentRefused         dead      it must not travel: its type, its size, what the scanner found
        + DocumentNotReady        retry     its bytes are not there yet, or the scanner cannot say
        + DocumentChanged         limited   its bytes differ from those that were inspected
      x VendorError(side, call, status, code)
        + Unavailable             retry     no connection, 5xx, 429; the vendor did not do it
        + OutcomeUnknown          read back a write whose answer never came: it may have happened
          + EdgeAnswered          retry     a write that something before the API answered: it may have happened
        + Unauthorized            pause     no record's retries are spent on a bad credential
        + Rejected                dead      the same request would fail again
          + IdRefused             dead      asked about one record alone: about any other the vendor answers
        + Gone                    dead      the record is not there: of a read it becomes an absent snapshot instead
          + ContentGone           limited   the bytes of a document that was there a moment ago: it is looked at again
        + Unreadable              dead      the answer does not fit our wire model
      x LeaseLost                 retry     another worker has it; nothing more may be saved
      x OtherInstance             retry     another installation has the database; no call is made
      x Misconfigured                       found at start, never mid-flight
"""

from enum import StrEnum

SCHEMA_BEHIND = "the database's schema is behind; run: chronobridge migrate"
OTHER_INSTANCE = "this database was opened first under another PUBLIC_URL or INSTANCE_ID; resume `all` if this is meant"


class Disposition(StrEnum):
    """What is to be done about a record whose attempt ended in an error."""

    RETRY = "retry"
    RETRY_LIMITED = "retry_limited"
    READ_BACK = "read_back"
    PAUSE_SIDE = "pause_side"
    DEAD_LETTER = "dead_letter"


class SyncError(Exception):
    """Anything the service raises on purpose."""

    disposition = Disposition.DEAD_LETTER


class DeliveryRefused(SyncError):  # noqa: N818 - the family is named for what happened
    """A delivery was turned away at the door; nothing of it is kept."""

    status = 400


class SignatureInvalid(DeliveryRefused):
    """The sender did not know the shared secret."""

    status = 401


class StoreUnavailable(SyncError):  # noqa: N818
    """The store could not make something durable: full, locked or gone."""

    disposition = Disposition.RETRY


class SchemaBehind(StoreUnavailable):
    """The database is there, and lacks a table or a column that this code needs."""

    def __init__(self) -> None:
        super().__init__(SCHEMA_BEHIND)


class ValueRefused(StoreUnavailable):
    """The database is there and does not take a value, or give one back: without it, the same is done."""

    disposition = Disposition.RETRY_LIMITED


class Unexpected(SyncError):  # noqa: N818
    """Something that nobody foresaw went wrong with one record. `place`: the class of it, and where it was raised.

    The error itself is its `__cause__`; its message may hold a value.
    """

    disposition = Disposition.RETRY_LIMITED

    def __init__(self, place: str) -> None:
        self.place = place
        super().__init__(place)


class BatchFailed(SyncError):  # noqa: N818
    """Every record of a batch fails of the same, a mistake of ours or a broken mapping; no attempt is spent on it."""

    disposition = Disposition.RETRY


class Undecryptable(SyncError):  # noqa: N818
    """None of the configured keys opens this; the key it was sealed with is missing from ENCRYPTION_KEYS."""

    disposition = Disposition.RETRY


class Displaced(Undecryptable):
    """The key is there, but the text was sealed for another row or column, or was changed."""


class DocumentError(SyncError):
    """The bytes of a document cannot travel; `cause` is a stable name of why, never a name or a part of the document.

    word  what the scanner calls what it found
    side  where the bytes lie, once whoever asked for them has said so
    """

    side: str

    def __init__(self, cause: str, word: str = "") -> None:
        self.cause, self.word = cause, word
        super().__init__(cause)


class DocumentRefused(DocumentError):  # noqa: N818
    """What the document is must not travel; the same bytes would be refused again."""


class DocumentNotReady(DocumentError):  # noqa: N818
    """Nothing is wrong with the document as far as is known: its bytes are not there yet, or nobody could scan them.

    retry_in_s  each look costs calls, so it is not taken as often as a vendor that is away is called
    """

    disposition = Disposition.RETRY

    def __init__(self, cause: str, retry_in_s: float = 60.0) -> None:
        super().__init__(cause)
        self.retry_in_s = retry_in_s


class DocumentChanged(DocumentError):  # noqa: N818
    """The bytes are others than those that were inspected; the upload was cut before its end, so nothing was made."""

    disposition = Disposition.RETRY_LIMITED


class VendorError(SyncError):
    """A call to a vendor did not do what it should; says which call, never a value of a record.

    retry_in_s  when the same may be done, where anybody has said
    came        the sort of thing that answered in the API's place, and how long it was; empty where the API itself did
    message     the vendor's own words, which may hold values: not in the error's text, and nobody logs them
    """

    def __init__(  # noqa: PLR0913 - each is named where it is given
        self,
        side: str,
        call: str,
        *,
        status: int | None = None,
        code: str = "",
        fields: tuple[str, ...] = (),
        retry_in_s: float | None = None,
        came: str = "",
        message: str = "",
    ) -> None:
        self.side, self.call, self.status, self.code, self.fields = side, call, status, code, fields
        self.retry_in_s, self.came, self.message = retry_in_s, came, message
        answer = " ".join(str(part) for part in (status, code, f"({came})" if came else "") if part)
        super().__init__(f"{side}: {call}: {answer or type(self).__name__}")

    @property
    def cause(self) -> str:
        """The vendor's own code where it gave one, else what kind of error it was; a stable name to group by."""
        return self.code or (f"HTTP_{self.status}" if self.status else type(self).__name__)


class Unavailable(VendorError):  # noqa: N818
    """The vendor did not do it and may later: no connection, 5xx, throttled, a page in the API's place.

    `retry_in_s` is the vendor's word.
    """

    disposition = Disposition.RETRY


class OutcomeUnknown(VendorError):  # noqa: N818
    """A write was sent and its answer never came: it may have happened, or may still."""

    disposition = Disposition.READ_BACK


class EdgeAnswered(OutcomeUnknown):
    """Something before the API answered a write, so nobody knows what became of it; it says nothing of the record."""

    disposition = Disposition.RETRY


class Unauthorized(VendorError):  # noqa: N818
    """The vendor refuses our credential, or we hold none. `retry_in_s`: when the same one is tried again, if it is."""

    disposition = Disposition.PAUSE_SIDE


class Rejected(VendorError):  # noqa: N818
    """The vendor understood and refused; the same request would fail again."""

    disposition = Disposition.DEAD_LETTER


class IdRefused(Rejected):
    """The vendor refused to be asked about one record, and answers about any other: its id is none."""


class Gone(VendorError):  # noqa: N818
    """The record is not there: deleted, merged, or out of our snapshot."""

    disposition = Disposition.DEAD_LETTER


class ContentGone(Gone):
    """The bytes of a document are not there, which was there when it was looked at: it is looked at again."""

    disposition = Disposition.RETRY_LIMITED


class Unreadable(VendorError):  # noqa: N818
    """The answer does not fit our wire model."""

    disposition = Disposition.DEAD_LETTER


class LeaseLost(SyncError):  # noqa: N818
    """Another worker holds the lease now; nothing more may be saved under the old one."""

    disposition = Disposition.RETRY


class OtherInstance(SyncError):  # noqa: N818
    """The database belongs to an installation with another identity, so this one makes no call until it is resumed."""

    disposition = Disposition.RETRY

    def __init__(self) -> None:
        super().__init__(OTHER_INSTANCE)


class Misconfigured(SyncError):  # noqa: N818
    """A setting is missing or malformed; the message names it, says what is expected and gives an example."""
