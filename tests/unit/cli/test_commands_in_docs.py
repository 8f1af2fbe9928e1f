"""Every command that a page, a fix or a printed step names is there, with the options that it is named with."""

import re
from pathlib import Path

import pytest
import typer

from app.cli.commands import app

ROOT = Path(__file__).parents[3]
DOCS = [*(ROOT / "deploy" / "docs").rglob("*.md"), ROOT / "deploy" / "salesforce" / "README.md"]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS), ROOT / "app" / "cli" / "init.py"]
_NAMED = re.compile(r"(?:^ {4,}|`|\"|; )chronobridge ([a-z][^`\"#\n;]*)", re.MULTILINE)


def named(page):
    """Give the commands of a page, as words."""
    return sorted({one.strip() for one in _NAMED.findall(page.read_text())})


def unknown(command, words):
    """Give the first word that is neither a command nor an option where it stands; None where all are."""
    while words and isinstance(command, typer.core.TyperGroup):
        name, *words = words
        if name not in command.commands:
            return name
        command = command.commands[name]
    options = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    return next((word for word in words if word.startswith("--") and word.partition("=")[0] not in options), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_that_is_named_is_there(page):
    whole = typer.main.get_command(app)

    wrong = {one: word for one in named(page) if (word := unknown(whole, re.findall(r"[^\s\[\],|]+", one)))}

    assert wrong == {}


def test_the_commands_of_salesforce_are_named_where_people_look():
    told = " ".join(one for page in PAGES[:-1] for one in named(page))

    assert {"salesforce deploy", "salesforce undeploy", "salesforce retrieve"} <= {
        f"salesforce {word}" for word in re.findall(r"salesforce (\w+)", told)
    }


def test_every_command_is_named_on_the_page_of_commands():
    page = (ROOT / "deploy" / "docs" / "commands.md").read_text()
    groups = {name: getattr(one, "commands", {}) for name, one in typer.main.get_command(app).commands.items()}

    missing = [name for name in groups if not re.search(rf"\b{name}\b", page)]
    assert missing + [one for below in groups.values() for one in below if not re.search(rf"\b{one}\b", page)] == []
