"""How Salesforce refuses: an array at the top of a 4xx answer, an entry in `errors` inside a 200 one.

The two shapes name the code differently (`errorCode`, `statusCode`), and messages quote record values.
"""

from collections.abc import Sequence
from typing import Any


class ApiError(Exception):
    """The whole call is refused."""

    def __init__(
        self,
        code: str,
        message: str,
        fields: Sequence[str] | None = None,
        *,
        status: int = 400,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.fields = code, message, fields
        self.status, self.extra = status, extra or {}

    def as_body(self) -> list[dict[str, Any]]:
        """The body of the answer when the call stands for this one refusal."""
        named = {} if self.fields is None else {"fields": list(self.fields)}
        return [{"message": self.message, "errorCode": self.code, **named, **self.extra}]


class RecordError(ApiError):
    """One record is refused; in a collection the others go on."""

    def __init__(
        self,
        code: str,
        message: str,
        fields: Sequence[str] | None = (),
        *,
        status: int = 400,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message, fields, status=status, extra=extra)

    def as_result(self) -> dict[str, Any]:
        """The record's entry in the answer of a collections call; it has no id, and `created` is left out."""
        error = {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}
        return {"success": False, "errors": [error]}


def not_found(message: str = "The requested resource does not exist") -> ApiError:
    """Nothing is there, which is also what missing sharing looks like."""
    return ApiError("NOT_FOUND", message, status=404)


def unreadable(kind: str, token: str, value: object) -> ApiError:
    """A JSON value of the wrong kind fails while the body is being read, so it takes the whole call with it."""
    message = (
        f"Cannot deserialize instance of {kind} from {token} value {value} "
        "or request may be missing a required field at [line:1, column:1]"
    )
    return ApiError("JSON_PARSER_ERROR", message)


NO_SUCH_COLUMN = "No such column '{name}' on sobject of type {kind}"
ROLLED_BACK = RecordError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)
