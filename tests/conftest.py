"""The few fixtures everybody needs: both databases, a Valkey, and keys. The servers are real ones, out of wheels."""

import asyncio
import contextlib
import gc
import os
import shlex
import shutil
import signal
import ssl
from collections import defaultdict
from pathlib import Path

import asyncpg
import psutil
import pytest
import uvloop
from sqlalchemy import Engine, event
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.util import LRUCache

from app.cli import supervise
from app.store.database import Database
from app.store.encryption import Vault
from app.sync.base import HashKeys
from app.vendors.http import trusted
from tests.ground import ordinary_signals, ordinary_variables
from tests.postgresql import EmptiedDatabases, KeptConnections, in_a_loop_of_its_own, migrated, with_a_template

_KEY = b"a1" * 16
_TESTS = Path(__file__).parent
_TOLD_ON = {"flow": "postgresql", "simulate": "postgresql", "contract": "sqlite"}
_AT_THE_DOOR = ("security", "webhooks")
_ALLOCATED = 20_000  # before garbage is looked for: a run lasts minutes, and to look every 700 takes 4 % of it
_SHARED = pytest.StashKey()


def pytest_configure(config):
    """Stand on the same ground whoever started the run; asked to stop, stop whatever was started."""
    gc.set_threshold(_ALLOCATED, 20, 20)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # the loop that web and worker run on
    ordinary_signals()
    ordinary_variables()
    os.environ["PGSSLMODE"] = (
        "disable"  # the tests' PostgreSQL speaks no TLS, and asking it costs each connection a turn
    )
    if not hasattr(config, "workerinput"):
        signal.signal(signal.SIGTERM, _interrupted)


def _interrupted(_number, _frame):
    raise KeyboardInterrupt


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """Tell each process of this run where the one PostgreSQL is: ours, so that none of theirs can leave it behind."""
    stash = node.config.stash
    if _SHARED not in stash:
        servers = contextlib.ExitStack()
        stash[_SHARED] = servers, servers.enter_context(with_a_template()).url
    node.workerinput["postgresql_url"] = stash[_SHARED][1]


def pytest_unconfigure(config):
    if _SHARED in config.stash:
        config.stash[_SHARED][0].close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What the store does is tested on both kinds of database; whatever goes through it on PostgreSQL, as it runs.

    A call to a vendor only keeps its tokens there, so it is told on SQLite. `make long` runs each of them on the other
    kind, and the tests of the stand-ins alone: nothing of ours is in them. What is told on one kind alone is told here.
    A flow that is told of many values is told of the first and the last here, one that guards the door of each fourth
    as well, and of all of them there; but for one whose rule may break on either kind of database (`both`).
    """
    told = defaultdict(list)
    kinds = defaultdict(set)
    for item in items:
        kinds[item.path, item.originalname].add(_database_of(item))
    for item in items:
        if item.get_closest_marker("both"):
            continue
        folders = item.path.relative_to(_TESTS).parts
        wanted = _TOLD_ON.get(folders[0])
        is_a_twin = wanted in kinds[item.path, item.originalname] and _database_of(item) not in (None, wanted)
        if is_a_twin or folders[:2] == ("standins", "tests"):
            item.add_marker(pytest.mark.long)
        elif folders[0] == "flow":
            told[item.path, item.originalname].append(item)
    for (path, _), items_of_one in told.items():
        is_at_the_door = path.relative_to(_TESTS).parts[1] in _AT_THE_DOOR
        for at, item in enumerate(items_of_one[1:-1], 1):
            if not is_at_the_door or at % 4:
                item.add_marker(pytest.mark.long)


def _database_of(item):
    return item.callspec.params.get("database") if hasattr(item, "callspec") else None


def pytest_collection_finish():
    """Thousands of tests were made and stay to the end: no later collection need go through them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _leaves_no_process():
    """Whatever a test has started is gone with it, or with the last one; what is not ends here, and is told."""
    before = set(psutil.Process().children(recursive=True))
    yield
    left = [one for one in set(psutil.Process().children(recursive=True)) - before if _is_at_work(one)]
    said = [shlex.join(one.cmdline()) for one in left]
    for one in left:
        one.kill()
    assert said == []


def _is_at_work(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture(scope="session", autouse=True)
def _no_public_roots(tmp_path_factory):
    """Test clients speak to loopback alone: one root is quickly read, and reading all of them takes 25 ms a client."""
    place = tmp_path_factory.mktemp("roots") / "one.pem"
    place.write_text(ssl.DER_cert_to_PEM_cert(_a_root()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(place))
        yield


def _a_root():
    return trusted(None).get_ca_certs(binary_form=True)[0]


@pytest.fixture(scope="session")
def postgres_url(request):
    """The PostgreSQL of this test run, with a database `migrated` to make others from."""
    shared = getattr(request.config, "workerinput", {}).get("postgresql_url")
    if shared is not None:
        yield shared + "postgres"
        return
    with with_a_template() as server:
        yield server.url + "postgres"


@pytest.fixture
def name_of_its_own(tmp_path, worker_id):
    """A name that no other test of this run has, in whatever process."""
    return f"{worker_id}_{tmp_path.name.lower()}"


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "migrated.db"
    in_a_loop_of_its_own(migrated(f"sqlite+aiosqlite:///{path}"))
    path.chmod(0o600)  # as every command of ours leaves it
    return path


@pytest.fixture(scope="session")
def _kept_connections():
    connections = KeptConnections()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg, "connect", connections.connect)
        yield connections
    connections.close()


@pytest.fixture(scope="session")
def _databases(postgres_url, _kept_connections):
    databases = EmptiedDatabases(postgres_url, _kept_connections)
    yield databases
    databases.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request, tmp_path, name_of_its_own):
    """A migrated database of its own for every test, of either kind."""
    if request.param == "sqlite":
        path = tmp_path / "chronobridge.db"
        shutil.copy(request.getfixturevalue("_migrated_file"), path)
        async with Database(f"sqlite+aiosqlite:///{path}").opened() as opened:
            yield opened
        return
    databases = request.getfixturevalue("_databases")
    url = await databases.take(name_of_its_own)
    async with Database(url).opened() as opened:
        yield opened
    await databases.give_back(url)


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory):
    """A Valkey of this test run."""
    port = supervise.free_port()
    child = supervise.valkey(tmp_path_factory.mktemp("valkey"), port)
    with supervise.supervised([child]):
        child.start()
        supervise.wait_for_port(port, child, 60)
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def vault():
    return Vault((b"YTFhMWExYTFhMWExYTFhMWExYTFhMWExYTFhMWExYTE=",))


@pytest.fixture
def keys():
    return HashKeys.of((_KEY,))


@pytest.fixture(scope="session", autouse=True)
def _each_statement_is_compiled_once():
    """Every test has engines of its own; what they compile is the same for each kind of database, so they share it."""
    shared = {}

    def share(connection):
        kind = type(connection.dialect)
        connection.execution_options(compiled_cache=shared.setdefault(kind, LRUCache(2_000)))

    with pytest.MonkeyPatch.context() as patch:
        for kind in (PGDialect_asyncpg, SQLiteDialect_aiosqlite):
            patch.setattr(kind, "__hash__", lambda self: hash(type(self)))
            patch.setattr(kind, "__eq__", lambda self, other: type(self) is type(other))
        event.listen(Engine, "engine_connect", share)
        yield
        event.remove(Engine, "engine_connect", share)
