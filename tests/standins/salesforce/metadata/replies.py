"""What the Metadata API answers with: results as XML, elements in the order of its WSDL, which is the alphabet's."""

from typing import Any
from xml.sax.saxutils import escape

from tests.standins.salesforce.ids import mint
from tests.standins.salesforce.metadata.deployments import Result, TestRun
from tests.standins.salesforce.metadata.jobs import Deploy
from tests.standins.salesforce.metadata.registry import NAMES
from tests.standins.salesforce.org import Org

_IDS = {"ApexClass": "01p", "ApexTrigger": "01q", "CustomField": "00N", "CustomObject": "01I", "Flow": "301"}
_IDS |= {"PermissionSet": "0PS", "WorkflowOutboundMessage": "04k"}


def element(name: str, value: Any) -> str:
    """A value as an element: of a dict its entries, of a list one element each."""
    if isinstance(value, list):
        return "".join(element(name, one) for one in value)
    if isinstance(value, dict):
        inside = "".join(element(inner, value[inner]) for inner in sorted(value) if value[inner] is not None)
        return f"<{name}>{inside}</{name}>"
    said = str(value).lower() if isinstance(value, bool) else escape(str(value))
    return f"<{name}>{said}</{name}>"


def _moment(stamp: str) -> str:
    return f"{stamp[:23]}Z"


def component_id(kind: str, name: str) -> str:
    """An id that the component keeps: the same for the same name."""
    number = int.from_bytes(f"{kind}/{name}".encode(), "big") % 62**8
    return mint(_IDS.get(kind, "0M0"), number)


def deploy_result(found: Deploy, org: Org, *, with_details: bool) -> str:
    """The state of a deploy; the details are those of the components that are through."""
    outcome = found.outcome
    tests = outcome.tests if outcome else TestRun()
    failed = {(one.kind, one.name) for one in outcome.failures} if outcome else set()
    told: dict[str, Any] = {
        "checkOnly": found.options.check_only,
        "completedDate": _moment(found.moved_at) if found.is_done else None,
        "createdBy": found.user,
        "createdByName": org.name_of(found.user),
        "createdDate": _moment(found.created_at),
        "details": _details(found, tests) if with_details else None,
        "done": found.is_done,
        "id": found.id,
        "ignoreWarnings": found.options.ignore_warnings,
        "lastModifiedDate": _moment(found.moved_at),
        "numberComponentErrors": len(failed),
        "numberComponentsDeployed": found.deployed,
        "numberComponentsTotal": found.total,
        "numberFiles": found.package.file_count,
        "numberTestErrors": len(tests.failed),
        "numberTestsCompleted": len(tests.passed),
        "numberTestsTotal": len(tests.passed) + len(tests.failed),
        "rollbackOnError": found.options.rollback_on_error,
        "runTestsEnabled": bool(tests.passed or tests.failed),
        "startDate": None if found.status == "Pending" else _moment(found.created_at),
        "status": found.status,
        "success": found.status == "Succeeded",
    }
    if outcome and outcome.error:
        told |= {"errorMessage": outcome.error, "errorStatusCode": "UNKNOWN_EXCEPTION"}
    if found.status == "Canceled":
        told |= {"canceledBy": found.user, "canceledByName": org.name_of(found.user)}
    return element("result", told)


def _details(found: Deploy, tests: TestRun) -> dict[str, Any]:
    results = found.outcome.results if found.outcome else []
    warnings = [{"id": "", "message": tests.coverage_warning, "name": None}] if tests.coverage_warning else []
    ran: dict[str, Any] = {
        "codeCoverageWarnings": warnings,
        "failures": [
            {
                "message": f"System.AssertException: Assertion Failed: {why}",
                "methodName": method,
                "name": name,
                "packageName": name,
                "stackTrace": f"Class.{name}.{method}: line 1, column 1",
                "time": 10.0,
                "type": "Class",
            }
            for name, method, why in tests.failed
        ],
        "numFailures": len(tests.failed),
        "numTestsRun": len(tests.passed) + len(tests.failed),
        "successes": [
            {"id": component_id("ApexClass", name), "methodName": method, "name": name, "time": 10.0}
            for name, method in tests.passed
        ],
        "totalTime": 10.0 * (len(tests.passed) + len(tests.failed)),
    }
    return {
        "componentFailures": [_message(one, found) for one in results if not one.success],
        "componentSuccesses": [_message(one, found) for one in results if one.success],
        "runTestResult": ran,
    }


def _message(one: Result, found: Deploy) -> dict[str, Any]:
    problem = one.problem
    told: dict[str, Any] = {
        "changed": one.changed,
        "componentType": one.kind,
        "created": one.created,
        "createdDate": _moment(found.moved_at),
        "deleted": one.deleted,
        "fileName": one.file,
        "fullName": one.name,
        "success": one.success,
    }
    if one.success and one.kind in NAMES and not one.deleted:
        told["id"] = component_id(one.kind, one.name)
    if problem is not None:
        told |= {"problem": problem.text, "problemType": "Warning" if problem.is_warning else "Error"}
        told |= {"lineNumber": problem.line, "columnNumber": problem.column} if problem.line else {}
    return told


def file_properties(org: Org, kind: str, name: str, file: str) -> dict[str, Any]:
    """What a list of components says of one."""
    now = _moment(org.stamp())
    who = {"createdById": org.admin, "createdByName": org.name_of(org.admin), "createdDate": now}
    who |= {"lastModifiedById": org.admin, "lastModifiedByName": org.name_of(org.admin), "lastModifiedDate": now}
    return {
        **who,
        "fileName": file,
        "fullName": name,
        "id": component_id(kind, name),
        "manageableState": "unmanaged",
        "type": kind,
    }
