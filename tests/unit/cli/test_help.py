"""Every command shows itself alike: -h, examples that are right, no noise; and a shell completes all of it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.cli.commands import app
from tests.unit.cli.test_commands_in_docs import unknown

WHOLE = typer.main.get_command(app)


def walked(command, words=()):
    """Give every command, groups too, with the words that lead to it."""
    yield words, command
    for name, below in getattr(command, "commands", {}).items():
        yield from walked(below, (*words, name))


COMMANDS = dict(walked(WHOLE))
EACH = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
EACH_LEAF = pytest.mark.parametrize("words", [words for words in COMMANDS if not hasattr(COMMANDS[words], "commands")])


@EACH
def test_h_is_help_at_every_level_and_shows_no_type_where_a_name_says_it_all(words):
    shown = CliRunner().invoke(app, [*words, "-h"], env={"COLUMNS": "160", "NO_COLOR": "1"})

    assert (shown.exit_code, "Usage: " in shown.stdout) == (0, True)
    assert [one for one in re.findall(r"<[^>]+>", shown.stdout) if "|" not in one] == []


@EACH_LEAF
def test_every_command_has_examples_of_commands_and_options_that_are_there(words):
    title, *examples = COMMANDS[words].epilog.splitlines()

    assert title == "Examples:"
    assert examples
    for example in examples:
        program, *rest = example.split()
        assert (program, tuple(rest[: len(words)])) == ("chronobridge", words)
        assert unknown(WHOLE, rest) is None


def test_the_version_is_told():
    shown = CliRunner().invoke(app, ["--version"])

    assert (shown.exit_code, re.fullmatch(r"chronobridge \d+\.\d+\.\d+\n", shown.stdout) is not None) == (0, True)


@pytest.mark.parametrize(("typed", "meant"), [("queuo", "queue"), ("mapping sho", "show"), ("queue --jsn", "--json")])
def test_what_is_typed_almost_right_is_told_what_was_meant(typed, meant):
    refused = CliRunner().invoke(app, typed.split())

    assert (refused.exit_code, f"'{meant}'" in refused.stderr or meant in refused.stderr) == (2, True)


ASKED = {
    "bash": 'COMP_WORDS=({words}); COMP_CWORD={last}; _chronobridge_completion chronobridge; echo "${{COMPREPLY[@]}}"',
    "zsh": "words=({words}); CURRENT={number}; _arguments() {{ print -r -- $@ }}; _chronobridge_completion",
    "fish": 'complete -C "{line}"',
}


@pytest.mark.parametrize("shell", ASKED)
def test_a_real_shell_completes_what_a_command_takes(tmp_path, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    script = CliRunner().invoke(app, ["completion", shell]).stdout
    line = "chronobridge pause ba"
    words = line.split()
    asked = ASKED[shell].format(words=" ".join(words), last=len(words) - 1, number=len(words), line=line)
    before = "compdef() {{ : }}\n" if shell == "zsh" else ""
    (tmp_path / "asks").write_text(f"{before}{script}\n{asked}\n")
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "TERM": "dumb"}

    ended = subprocess.run([shell, tmp_path / "asks"], env=env, capture_output=True, text=True, timeout=30, check=False)

    assert "backfill" in ended.stdout, ended.stderr
