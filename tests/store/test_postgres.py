"""Engine and inbox reach PostgreSQL by the same address: with TLS, among several servers, and through a pooler."""

import asyncio
import contextlib
import os
import shutil
import socket
import socketserver
import ssl
import struct
import subprocess
import threading
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
import trustme

from app.cli import supervise
from app.errors import StoreUnavailable
from app.store import tables
from app.store.database import Database
from app.store.migrate import migrate
from app.store.schema import is_behind
from tests.postgresql import _PSQL
from tests.store.build import a_delivery, change, on_postgresql, open_inbox, rows, taken

ROLES = Path(__file__).parents[2] / "deploy" / "postgres-roles.sql"
POOLER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
ASKS_FOR_TLS = struct.pack("!ii", 8, 80877103)


@asynccontextmanager
async def reached(url, **given):
    """A database and its inbox, over an address."""
    async with Database(url, **given).opened() as database:
        inbox = open_inbox(database)
        yield database, inbox
        await inbox.close()


async def works(url, **given):
    """Say whether engine and inbox both reach the database, or neither."""
    async with reached(url, **given) as (database, inbox):
        asked = (database.read(sa.text("SELECT 1")), is_behind(database), inbox.keep(a_delivery("1")), inbox.probe())
        found = [(await asyncio.gather(one, return_exceptions=True))[0] for one in asked]
    failed = {isinstance(result, StoreUnavailable) for result in found}
    assert len(failed) == 1, f"engine and inbox read the address differently: {found}"
    return not failed.pop()


class Front(socketserver.ThreadingTCPServer):
    """Speaks TLS, and nothing else, for a PostgreSQL that cannot; counts its connections."""

    allow_reuse_address, daemon_threads, block_on_close = True, True, False

    def __init__(self, context, behind):
        super().__init__(("127.0.0.1", 0), Through)
        self.context, self.behind, self.connections = context, behind, 0


class Through(socketserver.BaseRequestHandler):
    """One connection: a PostgreSQL client asks for TLS first, and hears one letter."""

    def handle(self):
        if self.request.recv(8, socket.MSG_WAITALL) != ASKS_FOR_TLS:
            return
        self.request.sendall(b"S")
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.server.behind)) as behind,
            self.server.context.wrap_socket(self.request, server_side=True) as client,
        ):
            self.server.connections += 1
            threading.Thread(target=pump, args=(behind, client), daemon=True).start()
            pump(client, behind)


def pump(one, other):
    with contextlib.suppress(OSError):
        while some := one.recv(65536):
            other.sendall(some)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority, and the folder of its root and of another one's."""
    folder = tmp_path_factory.mktemp("roots")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "root.pem")
    trustme.CA().cert_pem.write_to_path(folder / "other.pem")
    return authority, folder


@pytest.fixture
def front(database, authority):
    """TLS before the test's database, by a certificate that says 127.0.0.1 and nothing else."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority[0].issue_cert("127.0.0.1").configure_cert(context)
    with Front(context, database.url.port) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        server.url = database.url.set(port=server.server_address[1]).render_as_string(hide_password=False)
        yield server
        server.shutdown()


@on_postgresql
async def test_a_server_that_proves_itself_is_used_by_tls_alone(front, authority):
    assert await works(f"{front.url}?sslmode=verify-full&sslrootcert={authority[1]}/root.pem")
    assert await works(f"{front.url}?sslmode=verify-full", ca_bundle=authority[1] / "root.pem")
    assert front.connections == 4, "one of the engine and one of the inbox, each time"


@pytest.mark.parametrize(
    ("query", "is_used"),
    [
        ("sslmode=verify-full&sslrootcert={}/other.pem", False),
        ("sslmode=verify-ca&sslrootcert={}/other.pem", False),
        ("sslmode=verify-full", False),
        ("sslmode=disable", False),
        ("sslmode=require", True),
    ],
)
@on_postgresql
async def test_a_server_that_cannot_prove_itself_is_used_where_the_address_says_so(front, authority, query, is_used):
    assert await works(f"{front.url}?{query.format(authority[1])}") is is_used


@pytest.mark.parametrize(("mode", "is_used"), [("verify-full", False), ("verify-ca", True)])
@on_postgresql
async def test_a_certificate_of_another_name_is_refused_unless_names_do_not_count(front, authority, mode, is_used):
    url = front.url.replace("127.0.0.1", "localhost")

    assert await works(f"{url}?sslmode={mode}&sslrootcert={authority[1]}/root.pem") is is_used


@on_postgresql
async def test_a_server_without_tls_is_not_used_where_it_is_asked_for(database):
    assert await works(f"{database.url.render_as_string(hide_password=False)}?sslmode=require") is False


@on_postgresql
async def test_of_several_servers_the_one_that_answers_is_used(database):
    here = f"127.0.0.1:{database.url.port}"

    assert await works(f"postgres://postgres@127.0.0.1:1,{here}/{database.url.database}") is True


@on_postgresql
async def test_what_an_address_asks_for_reaches_engine_and_inbox(database):
    query = "application_name=bridge&options=-cwork_mem%3D5MB&command_timeout=20&statement_cache_size=50"
    named = sa.text("SELECT count(*) AS many FROM pg_stat_activity WHERE application_name = 'bridge'")
    async with reached(f"{database.url.render_as_string(hide_password=False)}?{query}") as (ours, inbox):
        await inbox.keep(a_delivery("1"))

        assert (await ours.read(named))[0].many == 2
        assert (await ours.read(sa.text("SHOW work_mem")))[0][0] == "5MB"


@contextmanager
def pooler(url, place):
    """Run a pooler in transaction mode before a server, with two connections for everybody; give its address."""
    port = supervise.free_port()
    config = place / "pooler.ini"
    config.write_text(
        f"[databases]\n{url.database} = host={url.host} port={url.port} user=postgres\n"
        f"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\nauth_type=any\nunix_socket_dir=\n"
        f"pool_mode=transaction\ndefault_pool_size=2\nserver_reset_query_always=0\n"
    )
    child = supervise.Child("pooler", [POOLER, *(["-u", "nobody"] if os.geteuid() == 0 else []), str(config)],
                            log=place / "out.log")  # fmt: skip
    with supervise.supervised([child]):
        child.start()
        supervise.wait_for_port(port, child)
        yield f"postgresql://postgres@127.0.0.1:{port}/{url.database}?pgbouncer=true"


@pytest.mark.skipif(POOLER is None, reason="pgbouncer is not installed")
@on_postgresql
async def test_many_work_through_a_pooler_in_transaction_mode_that_has_two_connections(database, tmp_path):
    with pooler(database.url, tmp_path) as url:
        async with reached(url) as (ours, inbox), reached(url) as (theirs, another):
            looks = [one.read(sa.select(tables.links).where(tables.links.c.kind == f"k{number}"))
                     for number in range(40) for one in (ours, theirs)]  # fmt: skip
            keeps = [one.keep(a_delivery(str(number))) for number in range(100) for one in (inbox, another)]
            takes = [taken(one, str(1000 + number)) for number in range(5) for one in (ours, theirs)]
            await asyncio.gather(*looks, *keeps, *takes, inbox.probe(), another.probe(), migrate(ours))

    assert len(await rows(database, tables.deliveries)) == 210


@on_postgresql
async def test_without_kept_statements_each_read_is_a_transaction_of_its_own(database):
    query = "statement_cache_size=0"
    async with reached(f"{database.url.render_as_string(hide_password=False)}?{query}") as (ours, inbox):
        await inbox.keep(a_delivery("1"))
        await ours.read(sa.select(tables.links))
        prepared = await ours.read(sa.text("SELECT count(*) AS many FROM pg_prepared_statements"))

        assert prepared[0].many == 0


@on_postgresql
async def test_the_service_reads_and_writes_rows_in_tables_that_only_their_owner_can_change(database, postgres_url):
    name = database.url.database
    roles = {"owner": f"owner_{name}"[:60], "service": f"service_{name}"[:60]}
    given = {**roles, "owner_password": "o", "service_password": "s"}
    where = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    sets = [f"--set={key}={value}" for key, value in given.items()]
    subprocess.run([_PSQL / "bin" / "psql", "--quiet", *sets, "--file", ROLES, where], check=True, capture_output=True)
    owner, service = (database.url.set(username=one).render_as_string(hide_password=False) for one in roles.values())

    async with Database(owner).opened() as ours:
        await change(ours, sa.text("DROP TABLE alembic_version, audit_head CASCADE"))
        await change(ours, sa.text("CREATE TABLE later (id INTEGER)"))
    async with reached(service) as (ours, inbox):
        await inbox.keep(a_delivery("1"))
        assert await rows(ours, tables.deliveries)
        await change(ours, sa.text("INSERT INTO later VALUES (1)"))
        for forbidden in ("DROP TABLE later", "ALTER TABLE links ADD x INTEGER", "CREATE TABLE mine (id INTEGER)",
                          "TRUNCATE deliveries"):  # fmt: skip
            with pytest.raises(StoreUnavailable) as refused:
                await change(ours, sa.text(forbidden))
            assert refused.value.__cause__.orig.sqlstate == "42501", "it has no right to"
