"""A process that stays has nothing in memory that it does not use: each of these is a megabyte, or several."""

import subprocess
import sys

import pytest

from tests.build import NEEDED
from tests.unit.test_glossary import ROOT

# an import in vain is listed, too, but nothing below it
FOR_TERMINALS = ("app.cli.commands", "pygments.lexers.", "rich.", "typer")
NOBODYS = ("alembic", "charset_normalizer.", "lxml", "sqlalchemy.orm", "zeep")
OF_SOME_SETTINGS = (
    "aiosmtplib",
    "aiosqlite",
    "asyncpg",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
)
THE_WEBS = ("app.web", "fastapi", "jinja2", "uvicorn")


@pytest.mark.parametrize(("command", "others"), [("serve", ("workers",)), ("work", THE_WEBS)])
def test_a_process_that_stays_imports_nothing_that_it_does_not_use(tmp_path, command, others):
    env = {**NEEDED, "MAPPING_FILE": "nowhere.toml", "PYTHONPATH": str(ROOT)}  # so that it ends once all is imported

    run = [sys.executable, "-X", "importtime", "-m", "app.cli", command]
    ended = subprocess.run(run, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)

    imported = [line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if "|" in line]
    unused = (*FOR_TERMINALS, *NOBODYS, *OF_SOME_SETTINGS, *others)
    assert ended.returncode == 2
    assert "app.sync.mappings.file" in imported
    assert [name for name in imported if name.startswith(unused)] == []
