"""REDIS_URL, read in one place: where Redis or Valkey is, who we are there, how its certificate is checked.

    redis://[USER:PASSWORD@]HOST[:PORT][/DB]                               rediss:// is the same by TLS
    unix://[USER:PASSWORD@]/PATH/OF/SOCKET[?db=DB]
    redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]/SERVICE[/DB]    rediss+sentinel:// is the same by TLS

What stands before the @ is percent-decoded, and meant for the server, not for its sentinels. By TLS the certificate and
its host name are verified against the system's roots and CA_BUNDLE. An option that is not understood is refused.

Source  redis-py 5.3, asyncio/connection.py and asyncio/sentinel.py (read 2026-11)
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, unquote

from redis.asyncio import ConnectionPool, Redis, Sentinel, SSLConnection, UnixDomainSocketConnection

_SERVER, _SENTINEL, _SOCKET = ("redis", "rediss"), ("redis+sentinel", "rediss+sentinel"), "unix"
_PORT, _SENTINEL_PORT, _LAST_PORT = 6379, 26379, 65535
_CONNECT_S = 1.0  # the door does not wait for its bell
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+)(:(?P<port>[0-9]{1,5}))?")
_YES_NO = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}

T = TypeVar("T", bound=Redis)


def _yes_no(text: str) -> bool:
    return _YES_NO[text.lower()]


def _word_of(*words: str) -> Callable[[str], str]:
    return lambda text: words[words.index(text)]


_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "client_name": str,
    "db": str,
    "health_check_interval": int,
    "max_connections": int,
    "protocol": int,
    "retry_on_timeout": _yes_no,
    "socket_connect_timeout": float,
    "socket_keepalive": _yes_no,
    "socket_timeout": float,
}
_TLS_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "ssl_ca_certs": str,
    "ssl_cert_reqs": _word_of("required", "optional", "none"),
    "ssl_certfile": str,
    "ssl_check_hostname": _yes_no,
    "ssl_keyfile": str,
}
_SENTINEL_OPTIONS: Mapping[str, Callable[[str], Any]] = {"sentinel_password": str, "sentinel_username": str}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """What a Redis address says.

    hosts     where the server is, or its sentinels are; none where it is a socket
    service   what the sentinels call it; empty where there are none
    options   what a connection to the server is made with
    sentinel  what a connection to a sentinel is made with
    """

    hosts: tuple[tuple[str, int], ...]
    service: str
    is_tls: bool
    options: Mapping[str, Any] = field(repr=False)
    sentinel: Mapping[str, Any] = field(repr=False)

    def client(self, kind: type[T]) -> T:
        """Give a client of a kind that connects when it is used; whoever has it closes it by `close`."""
        if self.service:
            tls = {"ssl": True} if self.is_tls else {}
            asked = {**self.sentinel, **tls}
            sentinels: Any = Sentinel(list(self.hosts), sentinel_kwargs=asked, **self.options, **tls)  # type: ignore[no-untyped-call]
            return cast(T, sentinels.master_for(self.service, redis_class=kind))
        where: dict[str, Any] = {}
        if self.hosts:
            where["host"], where["port"] = self.hosts[0]
        if self.is_tls:
            where["connection_class"] = SSLConnection
        elif not self.hosts:
            where["connection_class"] = UnixDomainSocketConnection
        return cast(T, kind.from_pool(ConnectionPool(**where, **self.options)))


async def close(*clients: Redis) -> None:
    """Let the connections of clients go, those to sentinels too, also where whoever closes them is cancelled meanwhile.

    What fails while a connection ends is of no interest to anybody: it is gone then, too.
    """
    managers = [getattr(one.connection_pool, "sentinel_manager", None) for one in clients]
    sentinels = [sentinel for one in managers if one is not None for sentinel in one.sentinels]
    closing = asyncio.gather(
        *(one.aclose(close_connection_pool=True) for one in (*clients, *sentinels)), return_exceptions=True
    )
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await asyncio.wait([closing])
        raise


def read_redis(url: str, ca_bundle: Path | None = None) -> RedisAddress:
    """Give what an address says.

    ca_bundle  further roots by which a server may prove itself
    Raises     ValueError, which says what is wrong and shows nothing of the address
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme not in (*_SERVER, *_SENTINEL, _SOCKET) or not url.isprintable():
        raise ValueError("it is not an address that begins with redis://, rediss://, unix:// or redis+sentinel://")
    where, _, asked = rest.partition("?")
    credentials, _, place = where.rpartition("@")
    if "/" in credentials or "#" in url:
        raise ValueError("it holds a / before the @, or a #: write %2F or %23")
    is_tls = scheme.startswith("rediss")
    options, sentinel = _read_options(asked, is_tls=is_tls, is_sentinel=scheme in _SENTINEL)
    for name, text in zip(("username", "password"), credentials.split(":", 1), strict=False):
        if text:
            options[name] = unquote(text)
    hosts, service, database = _place(scheme, place, options)
    if database and "db" in options:
        raise ValueError("it names the database twice, behind the / and as db")
    options["db"] = _database(database or str(options.get("db", "")))
    if is_tls:
        options = {**_verified(options, ca_bundle), **options}
        sentinel |= {name: value for name, value in options.items() if name.startswith("ssl_")}
    sentinel |= {name: value for name, value in options.items() if name.startswith("socket_")}
    return RedisAddress(hosts, service, is_tls, options, sentinel)


def _place(scheme: str, place: str, options: dict[str, Any]) -> tuple[tuple[tuple[str, int], ...], str, str]:
    """Give hosts, service and database of what stands behind the @; the path of a socket becomes an option."""
    named, _, path = place.partition("/")
    if scheme == _SOCKET:
        if named or not path:
            raise ValueError("behind unix:// only the path of a socket can stand, and it begins with a /")
        options["path"] = f"/{unquote(path)}"
        return (), "", ""
    if scheme in _SENTINEL:
        service, _, database = path.partition("/")
        if not service:
            raise ValueError("it names no service: write redis+sentinel://HOST:26379,HOST:26379/SERVICE")
        return tuple(_host(one, _SENTINEL_PORT) for one in named.split(",")), unquote(service), database
    if "," in named:
        raise ValueError("it names several hosts: only redis+sentinel:// can")
    return (_host(named, _PORT),), "", path


def _read_options(asked: str, *, is_tls: bool, is_sentinel: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the options of a connection to the server, and those that are meant for the sentinels alone."""
    known = {**_OPTIONS, **(_TLS_OPTIONS if is_tls else {}), **(_SENTINEL_OPTIONS if is_sentinel else {})}
    found: dict[str, Any] = {"socket_connect_timeout": _CONNECT_S}
    for name, text in parse_qsl(asked, keep_blank_values=True):
        if name not in known:
            raise ValueError(f"the option {name[:40]!r} is not understood here; {', '.join(sorted(known))} are")
        try:
            found[name] = known[name](text)
        except (ValueError, LookupError):
            raise ValueError(f"the option {name} has a value that it cannot have") from None
    return found, {name.removeprefix("sentinel_"): found.pop(name) for name in _SENTINEL_OPTIONS if name in found}


def _verified(options: Mapping[str, Any], ca_bundle: Path | None) -> dict[str, Any]:
    roots = {} if ca_bundle is None else {"ssl_ca_certs": str(ca_bundle)}  # beside the system's
    return {"ssl_check_hostname": options.get("ssl_cert_reqs") != "none", **roots}


def _database(text: str) -> int:
    if not re.fullmatch(r"[0-9]{0,6}", text):
        raise ValueError("what names the database, behind the / or as db, is not a number")
    return int(text or 0)


def _host(text: str, port: int) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    if found is None or not 0 < int(found["port"] or port) <= _LAST_PORT:
        raise ValueError("it names no host and port: write HOST or HOST:6379")
    return unquote(found["host"].strip("[]")), int(found["port"] or port)
