"""An inbox on the database of the test, and the groups it committed."""

import pytest

from tests.store.build import open_inbox


@pytest.fixture
def groups():
    return []


@pytest.fixture
async def inbox(database, groups):
    inbox = open_inbox(database, groups.append)
    yield inbox
    await inbox.close()
