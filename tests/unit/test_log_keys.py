"""Every key that the code logs passes the guard: one that does not is dropped, and its line says too little."""

import ast

import pytest

from app.log import ALLOWED
from tests.unit.test_glossary import MODULES, ROOT

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
TOLD = {"tell", "_tell"}  # a vendor's part tells its composition root, which logs it


def is_logged(call):
    """Say whether a call writes a log line: `log.warning("an.event", ...)`, or tells one to be logged."""
    event = call.args[0] if call.args else None
    is_event = isinstance(event, ast.Constant) and isinstance(event.value, str) and "." in event.value
    match call.func:
        case ast.Attribute(value=ast.Name(id="log"), attr=level):
            return level in LEVELS
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in TOLD and is_event
    return False


def keys_of(module):
    tree = ast.parse((ROOT / module).read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and is_logged(node)]
    return {(call.lineno, word.arg) for call in calls for word in call.keywords if word.arg is not None}


@pytest.fixture(scope="module")
def logged():
    """Each module that logs: the lines of its calls, and the keys they give."""
    return {module: found for module in MODULES if (found := keys_of(module))}


def test_every_key_that_is_logged_passes_the_guard(logged):
    dropped = [
        (module, line, key)
        for module, found in logged.items()
        for line, key in found
        if key not in ALLOWED | {"exc_info"}
    ]
    assert dropped == []


def test_calls_that_log_are_found(logged):
    assert len(logged) > 10
