"""Deploys: what was sent is judged as one, and is in the org as one, or not at all.

A deploy moves on each time somebody looks at it, as often as `Settings.deploy_looks` says, and reaches the org with
the last of them; until then it can be cancelled. In a production org tests run, and flows arrive as drafts.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from tests.standins.salesforce.metadata.archive import Package
from tests.standins.salesforce.metadata.components import Catalog, Component, Key, Problem
from tests.standins.salesforce.metadata.judge import Facts, deletion_problems, problems_of
from tests.standins.salesforce.metadata.registry import CHILDREN
from tests.standins.salesforce.metadata.xml_parts import text

_APEX = {"ApexClass", "ApexTrigger"}
_TEST = re.compile(rb"@istest", re.IGNORECASE)
_METHOD = re.compile(r"@istest\s+(?:private\s+|public\s+)?static\s+void\s+(\w+)", re.IGNORECASE)
_VERSIONED = re.compile(r"(.+)-\d+")
_NO_TESTS = "testLevel of NoTestRun cannot be used in production organizations"
_NO_CLASSES = "runTests must name at least one test class when testLevel is RunSpecifiedTests"
_COVERAGE = (
    "Average test coverage across all Apex Classes and Triggers is {has}%, at least 75% test coverage is required."
)


@dataclass(frozen=True)
class Options:
    """What the sender wants done with it."""

    check_only: bool = False
    rollback_on_error: bool = True
    ignore_warnings: bool = False
    allow_missing_files: bool = False
    test_level: str = ""
    run_tests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What became of one component."""

    kind: str
    name: str
    file: str
    changed: bool = False
    created: bool = False
    deleted: bool = False
    problem: Problem | None = None
    success: bool = True


@dataclass(frozen=True)
class TestRun:
    """Which test methods ran, and which of them failed, with why."""

    passed: tuple[tuple[str, str], ...] = ()
    failed: tuple[tuple[str, str, str], ...] = ()
    coverage_warning: str = ""


class Conditions(Protocol):
    """What of the org's settings a deploy goes by."""

    production: bool
    flows_deploy_active: bool
    apex_coverage: int
    failing_tests: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """The org as it would be, and what became of each component."""

    catalog: Catalog
    results: list[Result]
    tests: TestRun = field(default_factory=TestRun)
    error: str = ""

    @property
    def failures(self) -> list[Result]:
        return [one for one in self.results if not one.success]

    @property
    def is_good(self) -> bool:
        return not self.failures and not self.tests.failed and not self.tests.coverage_warning and not self.error


def judge(package: Package, options: Options, before: Catalog, org: Conditions, facts: Facts) -> Outcome:
    """Says what the deploy would make of the org; changes nothing."""
    first, gone_first = _without(package.delete_before, before, options, facts)
    wanted = [_arriving(one, org) for one in package.components.values()]
    bad: dict[Key, list[str]] = {}
    while True:
        taken = [one for one in wanted if one.key not in bad]
        after = first.with_components(taken)
        found = {one.key: list(problems_of(one, after, first, facts)) for one in taken}
        new = {key: problems for key, problems in found.items() if problems}
        bad |= new
        # Without a rollback what is good stays, and must be good without what is not.
        if not new or options.rollback_on_error:
            break
    results = [_manifest_result()]
    results += [_told(one, is_fatal=not one.is_warning or not options.ignore_warnings) for one in package.problems]
    results += gone_first
    for one in wanted:
        results += _results(one, bad.get(one.key, []), first)
    last, gone_last = _without(package.delete_after, after, options, facts)
    results += gone_last
    error, tests = _tests(package, options, last, org)
    return Outcome(last, results, tests, error)


def _arriving(one: Component, org: Conditions) -> Component:
    if one.kind == "Flow" and org.production and not org.flows_deploy_active and text(one.part, "status") == "Active":
        return replace(one, part={**one.part, "status": ["Draft"]})
    return one


def _manifest_result() -> Result:
    return Result("", "package.xml", "package.xml", changed=True)


def _told(problem: Problem, *, is_fatal: bool) -> Result:
    return Result(problem.kind, problem.name, problem.file, problem=problem, success=not is_fatal)


def _results(one: Component, problems: list[str], before: Catalog) -> Iterable[Result]:
    old = before.get(*one.key)
    plain = Result(one.kind, one.name, one.source, changed=old != one, created=old is None)
    if not problems:
        return [plain]
    return [
        replace(plain, problem=Problem(one.kind, one.name, one.source, problem), success=False, changed=False)
        for problem in problems
    ]


def _without(keys: list[Key], before: Catalog, options: Options, facts: Facts) -> tuple[Catalog, list[Result]]:
    """The org without these components, and what became of each; one that is referenced stays."""
    named = {(kind, name): _bare(kind, name) for kind, name in keys}
    going: set[Key] = set()
    for key in named.values():
        if (found := before.get(*key)) is not None:
            going.add(found.key)
            if found.kind == "CustomObject":
                going |= {one.key for one in before.components.values() if _belongs(one, found.name)}
    left = before.without(going)
    results = []
    kept: set[Key] = set()
    for (kind, name), key in named.items():
        found = before.get(*key)
        gone = Result(kind, name, "destructiveChanges.xml", changed=True, deleted=True)
        if found is None:
            problem = Problem(kind, name, gone.file, f"No {kind} named: {name} found", is_warning=True)
            results.append(
                replace(gone, changed=False, deleted=False, problem=problem, success=options.ignore_warnings)
            )
            continue
        problems = [*deletion_problems(found.key, left, before, facts)]
        kept |= {found.key} if problems else set()
        told = [Problem(kind, name, gone.file, one) for one in problems]
        results += [replace(gone, changed=False, deleted=False, problem=one, success=False) for one in told] or [gone]
    return _cleaned(before.without(going - kept), going - kept), results


def _bare(kind: str, name: str) -> Key:
    # A flow may be named with the number of a version; here a flow has the one that came last.
    versioned = _VERSIONED.fullmatch(name) if kind == "Flow" else None
    return kind, versioned[1] if versioned else name


def _belongs(one: Component, parent: str) -> bool:
    if one.kind in CHILDREN:
        return one.parent == parent
    if one.kind == "Layout":
        return one.name.partition("-")[0] == parent
    return one.kind in {"CustomTab", "Workflow"} and one.name == parent


def _cleaned(catalog: Catalog, gone: set[Key]) -> Catalog:
    """Takes what is gone out of permission sets, layouts and lists, as the platform does by itself."""
    names = {name for kind, name in gone}
    if not names:
        return catalog
    changed = []
    for one in catalog.components.values():
        if one.kind == "PermissionSet":
            part = {
                element: [given for given in found if not _names_one(given, names)]
                for element, found in one.part.items()
            }
            changed.append(replace(one, part={element: found for element, found in part.items() if found}))
        elif one.kind == "Layout":
            parent = one.name.partition("-")[0]
            changed.append(replace(one, part=_without_items(one.part, parent, names)))
        elif one.kind in {"CompactLayout", "FieldSet", "ListView"}:
            bare = {name.partition(".")[2] for name in names if name.partition(".")[0] == one.parent}
            part = {
                element: [given for given in found if given not in bare] if element in {"columns", "fields"} else found
                for element, found in one.part.items()
            }
            changed.append(replace(one, part={element: found for element, found in part.items() if found}))
    return catalog.with_components(changed)


def _names_one(given: object, names: set[str]) -> bool:
    inner = ("field", "object", "name", "apexClass", "flow", "application", "tab")
    return isinstance(given, dict) and any(str(one) in names for name in inner for one in given.get(name, ()))


def _without_items(part: dict[str, list[object]], parent: str, names: set[str]) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    for element, inside in part.items():
        kept = [_without_items(one, parent, names) if isinstance(one, dict) else one for one in inside]
        if element == "layoutItems":
            kept = [
                one
                for one in kept
                if not (isinstance(one, dict) and any(f"{parent}.{field}" in names for field in one.get("field", ())))
            ]
        if kept:
            found[element] = kept
    return found


def _tests(package: Package, options: Options, after: Catalog, org: Conditions) -> tuple[str, TestRun]:
    has_apex = any(kind in _APEX for kind, _ in package.components)
    level = options.test_level or ("RunLocalTests" if org.production and has_apex else "NoTestRun")
    if org.production and has_apex and level == "NoTestRun":
        return _NO_TESTS, TestRun()
    if level == "RunSpecifiedTests" and not options.run_tests:
        return _NO_CLASSES, TestRun()
    if level == "NoTestRun":
        return "", TestRun()
    classes = {one.name: one for one in after.of("ApexClass") if any(_TEST.search(code) for _, code in one.files)}
    wanted = options.run_tests if level == "RunSpecifiedTests" else tuple(classes)
    if unknown := [name for name in wanted if name not in classes]:
        return f"No test class named {', '.join(unknown)} found", TestRun()
    methods = [(name, method) for name in wanted for method in _methods(classes[name])]
    failing = org.failing_tests
    failed = tuple((name, one, failing[f"{name}.{one}"]) for name, one in methods if f"{name}.{one}" in failing)
    passed = tuple((name, one) for name, one in methods if f"{name}.{one}" not in failing)
    warning = ""
    if has_apex and org.production and (org.apex_coverage < 75 or not methods):
        warning = _COVERAGE.format(has=org.apex_coverage if methods else 0)
    return "", TestRun(passed, failed, warning)


def _methods(one: Component) -> list[str]:
    code = b"\n".join(content for _, content in one.files).decode("utf-8", "replace")
    return _METHOD.findall(code)
