"""What an admin does in Setup, under /_control/objects: object permissions, field-level security, fields, new fields.

An object that is changed becomes a Kind of this org alone, until a reset. Values written before a change stay as
they are, and permissions bind the integration user only: people at the screen keep theirs.
"""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.standins.salesforce import persons
from tests.standins.salesforce.addresses import turn_on
from tests.standins.salesforce.control import ROOT, table_of
from tests.standins.salesforce.errors import ApiError, not_found
from tests.standins.salesforce.records import Table
from tests.standins.salesforce.schema import Field
from tests.standins.salesforce.values import READERS
from tests.standins.salesforce.web import answer, body_of, org_of
from tests.standins.salesforce.writing import refuse_unreadable

_OBJECT = {"hidden": bool, "createable": bool, "updateable": bool}
_FIELD = {
    **_OBJECT,
    "kind": str,
    "length": int,
    "required": bool,
    "defaulted": bool,
    "unique": bool,
    "external_id": bool,
    "case_sensitive": bool,
    "options": list,
    "restricted": bool,
}
# A lookup has a parent, which nobody is asked for here.
_KINDS = READERS.keys() - {"reference", "base64"}
_LENGTHS = {"string": 255, "textarea": 255, "picklist": 255, "email": 80, "phone": 40}
_BARE: dict[str, Any] = {"options": (), "parent": None, "relationship": None}


async def change_object(request: Request) -> Response:
    """PATCH objects/Kind: what the integration user may do with the object."""
    table, asked = table_of(request), _checked(await body_of(request), _OBJECT)
    table.reshape(replace(table.kind, **asked))
    return answer({**table.kind.describe(with_fields=False), "hidden": table.kind.hidden})


async def change_field(request: Request) -> Response:
    """PATCH objects/Kind/fields/Field: what the field is, and what the integration user may do with it."""
    table, name = table_of(request), request.path_params["field"]
    # Field-level security does not reach system fields, and nobody edits them.
    old = next((column for column in table.kind.own if column.name.lower() == name.lower()), None)
    if old is None:
        raise not_found()
    asked = _checked(await body_of(request), _FIELD)
    if asked.get("kind", old.kind) != old.kind:
        asked = {**_BARE, "length": _LENGTHS.get(asked["kind"], 0), **asked}
    own = tuple(replace(column, **asked) if column is old else column for column in table.kind.own)
    return _reshaped(table, own, old.name)


async def add_field(request: Request) -> Response:
    """POST objects/Kind/fields: a new custom field, or middle names turned on; empty in every record there is."""
    table, asked = table_of(request), refuse_unreadable(await body_of(request))
    name = str(asked.pop("name", ""))
    if (not name.endswith("__c") and name != "MiddleName") or table.kind.field(name, unseen=True):
        raise ApiError("INVALID_FIELD", f"name: not the name of a new custom field: {name}")
    asked = _checked(asked, _FIELD)
    kind = asked.get("kind", "string")
    column = Field(name, **{"length": _LENGTHS.get(kind, 0), **asked})
    return _reshaped(table, (*table.kind.own, column), name, 201)


async def state_picklists(request: Request) -> Response:
    """POST: State and Country/Territory Picklists are on from now on."""
    for table in org_of(request).tables.values():
        table.reshape(replace(table.kind, own=turn_on(table)))
    return Response(status_code=204)


async def person_accounts(request: Request) -> Response:
    """POST: accounts may be people from now on; gives the record types of accounts by name.

    `default` in the query: the integration user's default one; that of companies unless said.
    """
    return answer(persons.turn_on(org_of(request), request.query_params.get("default", "Company")), 201)


def _checked(asked: Any, known: dict[str, type]) -> dict[str, Any]:
    """The change as the values of a Field or Kind; one that makes no sense is refused."""
    wrong = [name for name, value in refuse_unreadable(asked).items() if type(value) is not known.get(name)]
    if wrong or asked.get("kind", "string") not in _KINDS:
        raise ApiError("INVALID_FIELD", f"not a property, or not a value it can have: {', '.join(wrong) or 'kind'}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in asked.items()}


def _reshaped(table: Table, own: tuple[Field, ...], name: str, status: int = 200) -> Response:
    table.reshape(replace(table.kind, own=own))
    column = table.kind.field(name, unseen=True)
    assert column is not None
    return answer({**column.describe(), "hidden": column.hidden}, status)


ROUTES = [
    Route(f"{ROOT}/state-picklists", state_picklists, methods=["POST"]),
    Route(f"{ROOT}/person-accounts", person_accounts, methods=["POST"]),
    Route(f"{ROOT}/objects/{{kind}}", change_object, methods=["PATCH"]),
    Route(f"{ROOT}/objects/{{kind}}/fields", add_field, methods=["POST"]),
    Route(f"{ROOT}/objects/{{kind}}/fields/{{field}}", change_field, methods=["PATCH"]),
]
