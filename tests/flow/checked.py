"""What `chronobridge check` finds, for the tests of it: the lines by name, beside a service that really answers."""

from contextlib import contextmanager

import httpx

from app.cli.supervise import free_port
from app.main import create_app
from app.operations.health.model import CheckState
from app.operations.selfcheck import check_everything
from app.runtime import open_runtime
from app.settings.fields import Settings
from tests.flow.clinic import OPERATOR
from tests.standins.serve import running

CALLBACK = "connect/drchrono/callback"


def changed(known, **more):
    """Give these settings with others in their place, checked like any."""
    return Settings.model_validate(known.model_dump() | more)


@contextmanager
def served(known, **more):
    """Give the settings of a service that listens on this machine, until the block ends."""
    port = free_port()
    listening = changed(known, public_url=f"http://127.0.0.1:{port}", port=port, **more)
    with running(create_app(listening), port=port) as url:
        bearer = {"authorization": f"Bearer {OPERATOR}"}
        httpx.post(f"{url}/api/v1/lanes/all/resume", headers=bearer).raise_for_status()  # it is another address
        yield listening


async def found(known):
    """Give everything the check says, in its order."""
    async with open_runtime(known) as runtime:
        return [finding async for finding in check_everything(runtime)]


def reds(findings):
    return {finding.name: f"{finding.says} → {finding.fix}" for finding in findings if finding.state is CheckState.RED}


def line(findings, name):
    """Give state, words and fix of the only line of this name."""
    (one,) = [finding for finding in findings if finding.name == name]
    return one
