"""`chronobridge demo` and `verify` from the outside: what is wrong usage is told before anything starts."""

import pytest
from typer.testing import CliRunner

from app.cli import commands

RUN = CliRunner()


@pytest.mark.parametrize("wrong", [("--seeds", "0"), ("--minutes", "-1"), ("--size", "7"), ("--first", "x")])
def test_wrong_usage_ends_with_two(wrong):
    assert RUN.invoke(commands.app, ["verify", *wrong]).exit_code == 2
