"""Both ends of the doorbell against a real Valkey: every way to reach it, and what others leave in it or allow us."""

import asyncio
import contextlib
import gc
import json
import ssl
import stat
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import pytest
import redis.asyncio
import trustme
from structlog.testing import capture_logs

from app import redis_url
from app.cli.supervise import Child, free_port, supervised, valkey, wait_for_port
from app.compat import valkey_binary
from app.periodic import Supervisor
from app.redis_url import read_redis
from app.sync.model import Kind
from app.wakeup import QUEUE, Wakeup, _client, _Coalesced, listen, listener

PASSWORD = "p@ss/word:%"
QUOTED = "p%40ss%2Fword%3A%25"


@contextmanager
def running(folder, port, *arguments):
    """A Valkey or a sentinel, as told."""
    child = Child("valkey", [str(valkey_binary()), *arguments], log=folder / "valkey.log", cwd=folder)
    with supervised([child]):
        child.start()
        wait_for_port(port, child, 60)
        yield


@pytest.fixture
def protected(tmp_path):
    """A Valkey that asks for a password; gives its port."""
    port = free_port()
    child = valkey(tmp_path, port, PASSWORD)
    with supervised([child]):
        child.start()
        wait_for_port(port, child, 60)
        yield port


class Heard:
    """What a worker was notified of."""

    def __init__(self):
        self.kinds, self._news = set(), asyncio.Event()

    def notify(self, kinds):
        self.kinds |= set(kinds)
        self._news.set()

    async def hears(self, kinds):
        async with asyncio.timeout(20):
            while not set(kinds) <= self.kinds:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def joined(url, ca_bundle=None):
    """A door that rings, and a worker that listens."""
    bell, jobs, heard = Wakeup(url, lambda: None, ca_bundle), Supervisor(first_s=0.01), Heard()
    jobs.start("listen", partial(listen, url, heard.notify, ca_bundle=ca_bundle))
    try:
        yield bell, heard, jobs
    finally:
        await jobs.stop()
        await bell.close()


async def rings_through(url, ca_bundle=None):
    async with joined(url, ca_bundle) as (bell, heard, _):
        assert await bell.is_up()
        bell.notify([Kind.PATIENT])
        await heard.hears([Kind.PATIENT])


async def test_a_password_with_signs_is_decoded_and_nobody_without_it_is_let_in(protected):
    await rings_through(f"redis://:{QUOTED}@127.0.0.1:{protected}/0")

    bell = Wakeup(f"redis://127.0.0.1:{protected}/0", lambda: None)
    assert not await bell.is_up()
    await bell.close()


def test_the_embedded_valkeys_password_is_on_no_command_line_and_in_nobody_elses_file(protected, tmp_path):
    child = valkey(tmp_path / "other", free_port(), PASSWORD)

    assert not [word for word in child.command if PASSWORD in word]
    assert stat.S_IMODE((tmp_path / "other" / "valkey.conf").stat().st_mode) == 0o600


async def test_a_socket_is_reached(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s")
    port, path = free_port(), folder / "v.sock"
    with running(folder, port, "--port", str(port), "--unixsocket", str(path), "--save", ""):
        await rings_through(f"unix://{path}?db=2")


async def test_the_server_that_sentinels_name_is_reached(tmp_path, protected):
    port = free_port()
    conf = tmp_path / "sentinel.conf"
    conf.write_text(
        f"port {port}\nsentinel monitor clinic 127.0.0.1 {protected} 1\nsentinel auth-pass clinic {PASSWORD}\n"
    )
    down = free_port()
    with running(tmp_path, port, str(conf), "--sentinel"):
        await rings_through(f"redis+sentinel://:{QUOTED}@127.0.0.1:{down},127.0.0.1:{port}/clinic/0")


@asynccontextmanager
async def behind_tls(port, certificate):
    """Something that speaks TLS, and passes on what it is told to a port; gives its own."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)

    async def passed_on(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()

    async def meet(reader, writer):
        there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(passed_on(reader, there[1]), passed_on(there[0], writer))

    async with await asyncio.start_server(meet, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def test_by_tls_the_host_name_is_verified_with_our_own_roots(tmp_path, protected):
    authority, roots = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(roots)
    async with behind_tls(protected, authority.issue_cert("localhost")) as port:
        await rings_through(f"rediss://:{QUOTED}@localhost:{port}/0", roots)

        for host, trusted in (("127.0.0.1", roots), ("localhost", None)):
            stranger = Wakeup(f"rediss://:{QUOTED}@{host}:{port}/0", lambda: None, trusted)
            assert not await stranger.is_up()
            await stranger.close()


async def not_text(client):
    await client.zadd(QUEUE, {b"\xff\xfe": 1})


async def a_job_of_another_shape(client):
    await client.set("arq:job:odd", json.dumps({"t": 1, "f": "ring", "a": [["patient"]], "k": {}, "et": "yesterday"}))
    await client.zadd(QUEUE, {"odd": 1})


async def a_job_that_is_no_job(client):
    await client.set("arq:job:odd", b"\x80 not JSON")
    await client.zadd(QUEUE, {"odd": 1})


async def kinds_that_are_none(client):
    await client.set("arq:job:odd", json.dumps({"t": 1, "f": "ring", "a": [["nonsense", 7]], "k": {}, "et": 1}))
    await client.zadd(QUEUE, {"odd": 1})


async def no_queue(client):
    await client.set(QUEUE, "a text")


@pytest.mark.parametrize(
    "leave", [not_text, a_job_of_another_shape, a_job_that_is_no_job, kinds_that_are_none, no_queue]
)
async def test_whatever_lies_in_the_queue_ends_nothing_and_does_not_stay(valkey_url, leave):
    async with redis.asyncio.Redis.from_url(valkey_url) as client:
        await client.flushall()
        await leave(client)
        with capture_logs():
            async with joined(valkey_url) as (bell, heard, jobs):
                await is_empty(client)
                heard.kinds.clear()
                bell.notify([Kind.OFFICE])
                await heard.hears([Kind.OFFICE])

                await is_empty(client)
                assert not jobs._tasks["listen"].done()


async def is_empty(client):
    async with asyncio.timeout(8):
        while await client.exists(QUEUE):  # noqa: ASYNC110 - the queue is in another process
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("said", [b"\xff\xfe", b"", b"nonsense 7", b'{"kind": "patient"}'])
async def test_whatever_else_is_published_ends_nothing(valkey_url, said):
    async with redis.asyncio.Redis.from_url(valkey_url) as client, joined(valkey_url) as (_, heard, jobs):
        while not await client.publish(f"{QUEUE}:0", said):  # noqa: ASYNC110 - Redis knows when somebody listens
            await asyncio.sleep(0.01)
        await client.publish(f"{QUEUE}:0", "nonsense office")
        await heard.hears([Kind.OFFICE])

        assert heard.kinds == {Kind.OFFICE}
        assert not jobs._tasks["listen"].done()


@asynccontextmanager
async def allowed(url, *rules):
    """A user of a Valkey who may do so much; gives the address by which that is who we are."""
    async with redis.asyncio.Redis.from_url(url) as client:
        await client.execute_command("ACL", "SETUSER", "clinic", "reset", "on", "nopass", "+@all", *rules)
        yield url.replace("://", "://clinic:any@")
        await client.acl_deluser("clinic")


NO_CHANNEL, NO_QUEUE = ("~*", "resetchannels"), ("&*", "resetkeys", "~arq:*", f"~{QUEUE}:*")


async def test_who_may_use_no_channel_is_woken_by_the_queue(valkey_url):
    async with allowed(valkey_url, *NO_CHANNEL) as url:
        await rings_through(url)


async def test_a_worker_that_knows_no_channel_is_woken_by_the_queue(valkey_url):
    client, jobs, heard = _client(read_redis(valkey_url)), Supervisor(), Heard()
    bell = Wakeup(valkey_url, lambda: None)
    jobs.start("listen", listener(client, heard.notify).main)
    bell.notify([Kind.PATIENT])
    await heard.hears([Kind.PATIENT])
    await jobs.stop()
    await redis_url.close(client)
    await bell.close()


@pytest.mark.parametrize("protocol", [2, 3])
async def test_a_ring_is_heard_before_its_job_is_found(valkey_url, protocol):
    missed = []
    async with allowed(valkey_url, *NO_QUEUE) as url, joined(f"{valkey_url}?protocol={protocol}") as (_, heard, _jobs):
        bell = Wakeup(f"{url}?protocol={protocol}", lambda: missed.append(1))
        while not heard.kinds:
            bell.notify([Kind.PATIENT])
            await asyncio.sleep(0.01)
        await bell.close()

    assert missed


async def test_the_first_ring_goes_out_at_once_and_those_that_follow_go_together():
    sent = []

    async def send(kinds):
        sent.append(kinds)
        return 3600

    rings = _Coalesced(send)
    for kind in (Kind.PATIENT, Kind.OFFICE, Kind.DOCTOR):
        rings.add([kind])
        await asyncio.sleep(0)
    await rings.close()

    assert sent == [["patient"], ["doctor", "office"]]


@asynccontextmanager
async def cutting(port, command):
    """Something that passes on what it is told, until it is told a command: then it breaks off, and once more.

    Gives its port, and a future that is done when it has.
    """
    cut, refusals = asyncio.get_running_loop().create_future(), [1]

    async def passed_on(reader, writer, word):
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if word and word in data and not cut.done():
                    cut.set_result(None)
                    break
                writer.write(data)
        writer.close()

    async def meet(reader, writer):
        if cut.done() and refusals[0]:
            refusals[0] -= 1
            writer.close()
            return
        there = await asyncio.open_connection("127.0.0.1", port)
        said = asyncio.ensure_future(passed_on(reader, there[1], b"\r\n%b\r\n" % command.encode()))
        answered = asyncio.ensure_future(passed_on(there[0], writer, b""))
        await said
        writer.close()
        await answered

    async with await asyncio.start_server(meet, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], cut


# what is asked of Redis from the start on: to hear what is published; looking for jobs, saying that it lives, taking a
# job, running it, ending it
COMMANDS = ("SUBSCRIBE", "PUBLISH", "INFO", "ZRANGEBYSCORE", "WATCH", "EXISTS", "ZSCORE", "PSETEX", "INCRBY", "ZREM")


@pytest.mark.parametrize("command", COMMANDS)
async def test_wherever_redis_breaks_off_the_next_ring_is_heard(valkey_url, command):
    async with redis.asyncio.Redis.from_url(valkey_url) as client:
        await client.flushall()
    there = int(valkey_url.rpartition(":")[2].partition("/")[0])
    bell, heard, jobs = Wakeup(valkey_url, lambda: None), Heard(), Supervisor(first_s=0.01)
    with capture_logs():
        async with cutting(there, command) as (port, cut):
            jobs.start("listen", partial(listen, f"redis://127.0.0.1:{port}/0", heard.notify))
            bell.notify([Kind.OFFICE])
            await asyncio.wait_for(cut, 8)
            bell.notify([Kind.PATIENT])
            await heard.hears([Kind.PATIENT])
            await jobs.stop()
    await bell.close()


@pytest.mark.parametrize("command", ["INFO", "WATCH"])
async def test_a_worker_that_stops_while_redis_breaks_off_leaves_no_connection(valkey_url, command):
    there = int(valkey_url.rpartition(":")[2].partition("/")[0])
    bell = Wakeup(valkey_url, lambda: None)
    with capture_logs():
        for turns in range(8, 14):  # of the event loop until the worker hangs up
            async with cutting(there, command) as (port, cut):
                listening = asyncio.ensure_future(listen(f"redis://127.0.0.1:{port}/0", Heard().notify))
                bell.notify([Kind.OFFICE])
                await asyncio.wait_for(cut, 8)
                for _ in range(turns):
                    await asyncio.sleep(0)
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
    await bell.close()

    del listening
    gc.collect()  # a connection that is open warns, and a warning fails the test
