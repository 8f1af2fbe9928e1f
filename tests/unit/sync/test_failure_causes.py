"""Every cause that the code gives a record has its row in the one table, so that a person is told what to do."""

import ast
import re
from pathlib import Path

import pytest

from app.sync import failure_causes
from app.sync.failure_causes import CAUSES, OVERLAPS, FailureClass, look_up
from app.sync.model import Side

ROOT = Path(__file__).parents[3]
# errors that end a record's attempts: the others are waited for, or say that nobody may call
ENDING = {
    "Unfit": 0,
    "Hold": 0,
    "RecordRefused": 0,
    "Failure": 1,
    "DocumentRefused": 0,
    "DocumentNotReady": 0,
    "DocumentChanged": 0,
    "Rejected": None,
    "Unreadable": None,
    "OutcomeUnknown": None,
}


def names_of(node):
    """The cause that an expression names: a literal, or a constant of the table's module; nothing of a variable."""
    match node:
        case ast.Constant(str(text)) if text:
            return [text]
        case ast.Name(name) | ast.Attribute(attr=name) if name.isupper():
            given = getattr(failure_causes, name, None)
            return [given] if isinstance(given, str) else list(given.values()) if isinstance(given, dict) else []
        case ast.Subscript(value):
            return names_of(value)
    return []


def causes_in(path):
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if isinstance(node.func, ast.IfExp):  # (OutcomeUnknown if writes else Unreadable)(...)
                called = "Unreadable"
            if called not in ENDING:
                continue
            place = ENDING[called]
            if place is not None and len(node.args) > place:
                found.update(names_of(node.args[place]))
            for keyword in node.keywords:
                if keyword.arg in ("code", "cause"):
                    found.update(names_of(keyword.value))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            target = node.targets[0].value
            if isinstance(target, ast.Name) and target.id == "refused":
                found.update(names_of(node.value))
    return found


@pytest.fixture(scope="module")
def raised():
    """Each cause that the code gives, and a module that does."""
    return {
        cause: path.relative_to(ROOT).as_posix()
        for folder in ("app", "workers")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for cause in causes_in(path)
        if cause != OVERLAPS
    }


def test_the_code_was_read(raised):
    assert {"too_long", "several_charts", "NO_RECORDS", "gone_in_drchrono", "cannot_be_empty"} <= raised.keys()


def test_every_cause_that_the_code_gives_has_its_row(raised):
    assert {cause: module for cause, module in raised.items() if cause not in CAUSES} == {}


def test_a_row_says_what_to_do_and_of_which_class_it_is():
    assert [one.name for one in CAUSES.values() if not one.fix.endswith(".") or one.group is FailureClass.OTHER] == []


@pytest.mark.parametrize("cause", [one for one in CAUSES.values() if one.decision], ids=lambda one: one.name)
def test_what_a_person_decides_is_held(cause):
    assert cause.is_held


def test_what_to_do_names_no_page_of_ours_for_it_is_read_in_salesforce_too():
    pages = re.compile(r"\b(in|under) (Held|Failures|Needs attention|Conflicts|Lanes|Queues)\b")

    assert [name for name, cause in CAUSES.items() if pages.search(cause.fix)] == []


def test_a_visit_in_the_way_is_named_and_is_a_clash():
    found = look_up(f"{OVERLAPS}340000501")

    assert (found.group, found.side, found.is_held) == (FailureClass.CLASH, Side.SALESFORCE, False)
    assert "340000501" in found.fix
