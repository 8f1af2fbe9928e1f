"""What Setup shows of an org and an administrator changes there: its kind, users, permission sets, credentials, flows.

These are records like others to REST, but for who may see and write them. An assignment that is there already is one.

Source  Object Reference: Organization, User, PermissionSet, PermissionSetAssignment, FlowDefinitionView;
        Connect REST API Developer Guide, Credential (read 2026-11)
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from simple_salesforce.api import Salesforce as SimpleSalesforce
from simple_salesforce.format import format_soql

from app.errors import OutcomeUnknown, Rejected, Unreadable
from app.sync.model import Side
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.wire import RecordRefused

_SIDE = Side.SALESFORCE.value
_ASSIGNMENT = "PermissionSetAssignment"
_TOOLING, _CREDENTIAL = "tooling/", "named-credentials/credential"
_TRIALS = frozenset({"Developer Edition", "Base Edition", "Partner Developer Edition"})


@dataclass(frozen=True, slots=True)
class OrgKind:
    """What an org is; no clinic works in a sandbox or a trial."""

    name: str
    is_sandbox: bool = False
    is_trial: bool = False

    @property
    def is_production(self) -> bool:
        """Whether tests must pass and cover before the org keeps code, and flows arrive inactive."""
        return not (self.is_sandbox or self.is_trial)

    @property
    def words(self) -> str:
        """Give it in words."""
        sort = "a production org" if self.is_production else "a sandbox" if self.is_sandbox else "a trial org"
        return f"{self.name or 'the org'}, {sort}"


@dataclass(frozen=True, slots=True)
class OrgUser:
    """A user of the org."""

    id: str
    username: str


async def kind_of(org: Salesforce) -> OrgKind:
    """Give what the org is; what it does not say of itself makes it a production org.

    Raises  Unavailable, Unauthorized, Rejected, Unreadable
    """
    found = await org.select("Organization", ["Name", "OrganizationType", "IsSandbox"], "Id != null", ["Id"], 1)
    row = found[0] if found else {}
    return OrgKind(str(row.get("Name") or ""), row.get("IsSandbox") is True, row.get("OrganizationType") in _TRIALS)


async def current_user(org: Salesforce) -> OrgUser:
    """Give whom the session belongs to.

    Raises  as `kind_of`
    """
    id_ = await org.user_id()
    found = await org.select("User", ["Username"], format_soql("Id = {}", id_), ["Id"], 1)
    if not found or not isinstance(found[0].get("Username"), str):
        raise Unreadable(_SIDE, "GET query", code="NO_RECORDS")
    return OrgUser(id_, found[0]["Username"])


async def assign(org: Salesforce, permission_set: str, user: OrgUser) -> bool:
    """Assign a permission set to a user; gives False where it was assigned already.

    Raises  as `kind_of`; OutcomeUnknown; Rejected where the org lacks the permission set
    """
    if await _assignments(org, [permission_set], user):
        return False
    found = await org.where("PermissionSet", "Name = {} AND IsOwnedByProfile = false", permission_set)
    if not found:
        raise Rejected(_SIDE, "GET query", code="NO_PERMISSION_SET")
    body = {"AssigneeId": user.id, "PermissionSetId": found[0]}
    path = f"sobjects/{_ASSIGNMENT}"
    try:
        await org.called(f"POST {path}", lambda library: library.restful(path, method="POST", json=body), writes=True)
    except Rejected as error:
        if error.code != "DUPLICATE_VALUE":
            raise
        return False
    return True


async def unassign(org: Salesforce, permission_sets: Collection[str]) -> int:
    """Take permission sets from everybody; gives from how many.

    Raises  as `kind_of`; OutcomeUnknown, Rejected
    """
    found = await _assignments(org, permission_sets)
    for at in range(0, len(found), 200):
        for answer in await org.delete(found[at : at + 200]):
            if isinstance(answer, OutcomeUnknown):
                raise answer
            if isinstance(answer, RecordRefused) and answer.code != "ENTITY_IS_DELETED":
                raise Rejected(_SIDE, "DELETE composite/sobjects", code=answer.code)
    return len(found)


async def _assignments(org: Salesforce, permission_sets: Collection[str], user: OrgUser | None = None) -> list[str]:
    condition = "PermissionSet.Name IN {}" + (" AND AssigneeId = {}" if user else "")
    return await org.where(_ASSIGNMENT, condition, list(permission_sets), *([user.id] if user else []))


async def set_credential(org: Salesforce, name: str, principal: str, values: Mapping[str, str]) -> None:
    """Let an external credential hold these values for a named principal, in the place of others; nobody reads them.

    Raises  Unavailable, OutcomeUnknown, Unauthorized, Rejected where it is not there or may not be set
    """
    body = {
        "externalCredential": name,
        "principalName": principal,
        "principalType": "NamedPrincipal",
        "authenticationProtocol": "Custom",
        "credentials": {key: {"value": value, "encrypted": True} for key, value in values.items()},
    }

    async def write(method: str) -> None:
        call = f"{method} {_CREDENTIAL}"
        await org.called(call, lambda it: it.restful(_CREDENTIAL, method=method, json=body), writes=True)

    try:
        await write("PUT")
    except Rejected:  # it has no values yet, which nothing can take the place of
        await write("POST")


async def inactive_flows(org: Salesforce, names: Collection[str]) -> list[str] | None:
    """Give, of these flows, those that the org does not run; None where it does not say.

    Raises  Unavailable, Unauthorized
    """
    found = await _rows(org, format_soql("SELECT ApiName, IsActive FROM FlowDefinitionView WHERE ApiName IN {}", names))
    if found is None:
        return None
    return sorted(set(names) - {row.get("ApiName") for row in found if row.get("IsActive") is True})


async def flow_versions(org: Salesforce, names: Collection[str]) -> list[str] | None:
    """Give all versions of flows, as one deletes them, `Name-1`; None where the org does not say.

    Raises  Unavailable, Unauthorized
    """
    soql = "SELECT Definition.DeveloperName, VersionNumber FROM Flow WHERE Definition.DeveloperName IN {}"
    found = await _rows(org, format_soql(soql, names), _TOOLING)
    if found is None:
        return None
    return sorted(f"{_definition(row).get('DeveloperName')}-{row.get('VersionNumber')}" for row in found)


async def deactivate_flows(org: Salesforce, names: Collection[str]) -> None:
    """Have the org run no version of these flows any more.

    Raises  Unavailable, OutcomeUnknown, Unauthorized, Rejected
    """
    soql = "SELECT Id FROM FlowDefinition WHERE ActiveVersionId != null AND DeveloperName IN {}"
    for row in await _rows(org, format_soql(soql, names), _TOOLING) or ():
        path = f"{_TOOLING}sobjects/FlowDefinition/{row.get('Id')}"
        await org.called(f"PATCH {_TOOLING}sobjects", _patch(path, {"activeVersionNumber": 0}), writes=True)


def _patch(path: str, changed: dict[str, Any]) -> Callable[[SimpleSalesforce], Any]:
    return lambda library: library.restful(path, method="PATCH", json={"Metadata": changed})


async def _rows(org: Salesforce, soql: str, api: str = "") -> list[dict[str, Any]] | None:
    """Give what a query finds; None where the org refuses it, or answers what we cannot read."""
    try:
        answer: Any = await org.called(
            "GET query", lambda library: library.restful(f"{api}query", params={"q": soql}), writes=False
        )
    except (Rejected, Unreadable):
        return None
    return [row for row in answer["records"] if isinstance(row, dict)]


def _definition(row: dict[str, Any]) -> dict[str, Any]:
    found = row.get("Definition")
    return found if isinstance(found, dict) else {}
