"""Guides and the help of commands speak the words of the glossary, as the pages do."""

import re
from pathlib import Path

import pytest
import typer

from app.cli.commands import app
from tests.words import IN_PROSE, replaced_in

DOCS = Path(__file__).parents[2] / "deploy" / "docs"


def help_of(command):
    """Give what the help of a command and of those below it says."""
    yield command.help or ""
    yield from (getattr(option, "help", None) or "" for option in command.params)
    for below in getattr(command, "commands", {}).values():
        yield from help_of(below)


@pytest.mark.parametrize("page", ["desk.md", "admin.md", "engineer.md"])
def test_no_guide_speaks_in_replaced_words(page):
    prose = re.sub(r"`[^`]*`|^    .*$", "", (DOCS / page).read_text(), flags=re.MULTILINE)

    assert replaced_in(" ".join(prose.split()), IN_PROSE) == []


def test_no_help_speaks_in_replaced_words():
    said = [replaced_in(" ".join(text.split()), IN_PROSE) for text in help_of(typer.main.get_command(app))]

    assert [one for one in said if one] == []


@pytest.mark.parametrize("text", ["It is held", "on its way", "Leave it", "two lanes", "Let go…", "Both sides agree"])
def test_a_replaced_word_is_seen(text):
    assert replaced_in(text)
