"""How a package is deployed, and how that stands, as the org tells it: components, tests, what is wrong with either."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from xml.etree.ElementTree import Element

from app.vendors.salesforce.metadata.xml import tag

_LONGEST = 600  # of what the org says of one thing


class TestLevel(StrEnum):
    """Which tests the org runs before it keeps what is deployed."""

    __test__ = False  # pytest takes what begins with Test for one of its own

    NONE = "NoTestRun"
    SPECIFIED = "RunSpecifiedTests"
    RELEVANT = "RunRelevantTests"
    LOCAL = "RunLocalTests"
    ALL = "RunAllTestsInOrg"


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """How a package is deployed; always as a whole, or not at all.

    check_only  the org says what would come of it, and keeps nothing
    tests       the test classes, where they are named
    """

    check_only: bool = False
    level: TestLevel | None = None
    tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """What the org has against one component, or warns of.

    place  the file of the zip, with line and column where the org names them
    """

    type: str
    name: str
    place: str
    says: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment. `status` is the org's word for it; numbers grow while it is under way.

    changed   names of the components that it changed, and of those it created: with details alone
    created   of these, the ones that were not there before
    says      what the org says of the whole of it, mostly nothing
    """

    id: str
    status: str
    is_done: bool
    is_success: bool
    is_check: bool
    components: tuple[int, int]
    tests: tuple[int, int]
    changed: tuple[str, ...] = ()
    created: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    says: str = ""

    @property
    def is_canceled(self) -> bool:
        """Whether somebody called it off."""
        return self.status == "Canceled"


def read_deployment(result: Element | None) -> Deployment | None:
    """Give the deployment that an answer tells of; None where it tells of none."""
    if result is None or not _text(result, "id") or not _text(result, "status"):
        return None
    details = result.find(tag("details"))
    done = () if details is None else tuple(details.iter(tag("componentSuccesses")))
    ours = [one for one in done if _text(one, "componentType")]  # package.xml has none, and always counts as changed
    changed = [one for one in ours if _is(one, "changed") or _is(one, "created") or _is(one, "deleted")]
    return Deployment(
        _text(result, "id"),
        _text(result, "status"),
        _is(result, "done"),
        _is(result, "success"),
        _is(result, "checkOnly"),
        (_count(result, "numberComponentsDeployed"), _count(result, "numberComponentsTotal")),
        (_count(result, "numberTestsCompleted"), _count(result, "numberTestsTotal")),
        tuple(sorted(_name(one) for one in changed)),
        tuple(sorted(_name(one) for one in changed if _is(one, "created"))),
        () if details is None else tuple(dict.fromkeys(_problems(details))),
        _said(result, "errorMessage"),
    )


def _problems(details: Element) -> Iterator[Problem]:
    for one in (*details.iter(tag("componentFailures")), *details.iter(tag("componentSuccesses"))):
        says = _said(one, "problem")
        if says:
            place = ":".join(
                filter(None, (_text(one, "fileName"), _text(one, "lineNumber"), _text(one, "columnNumber")))
            )
            is_warning = _text(one, "problemType") != "Error" and _is(one, "success")
            yield Problem(_text(one, "componentType"), _text(one, "fullName"), place, says, is_warning)
    for tests in details.iter(tag("runTestResult")):
        for one in tests.findall(tag("failures")):
            name = ".".join(filter(None, (_text(one, "name"), _text(one, "methodName"))))
            yield Problem("test", name, _said(one, "stackTrace").partition("\n")[0], _said(one, "message"))
        for one in tests.findall(tag("codeCoverageWarnings")):
            yield Problem("coverage", _text(one, "name"), "", _said(one, "message"))
        for one in tests.findall(tag("flowCoverageWarnings")):
            yield Problem("coverage", _text(one, "flowName"), "", _said(one, "message"), is_warning=True)


def _name(component: Element) -> str:
    return f"{_text(component, 'componentType')} {_text(component, 'fullName')}"


def _text(element: Element, name: str) -> str:
    return (element.findtext(tag(name)) or "").strip()


def _said(element: Element, name: str) -> str:
    """Give words of the org's that a terminal can show: nothing that moves its cursor, and not without end."""
    words = " ".join(_text(element, name).split())
    return "".join(letter for letter in words if letter.isprintable())[:_LONGEST]


def _is(element: Element, name: str) -> bool:
    return _text(element, name) == "true"


def _count(element: Element, name: str) -> int:
    given = _text(element, name)
    return int(given) if given.isascii() and given.isdigit() else 0
