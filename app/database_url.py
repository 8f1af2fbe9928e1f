"""DATABASE_URL, read in one place: where PostgreSQL is, how its certificate is checked, how a connection is made.

Engine, inbox and migrations all connect with `PostgresAddress.arguments`, so no two of them can read an address
differently. The forms that managed hosts print are understood. What is not understood is refused by name, with the fix:
a key that were passed over might be the one that asks for a verified certificate.

Off this machine the certificate and its host name are verified, unless the address itself asks for less.

Source  PostgreSQL 18, "Connection Strings" and "SSL Support" (libpq); asyncpg 0.31, `connect` (read 2026-11)
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

SQLITE = "sqlite+aiosqlite:///"
_POSTGRES = ("postgresql+asyncpg://", "postgresql://", "postgres://")
_PORT, _LAST_PORT = 5432, 65535
_YES_NO = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}
_WRITABLE = ("any", "primary", "read-write")
_UNDERSTOOD = (
    "application_name",
    "command_timeout",
    "connect_timeout",
    "host",
    "options",
    "pgbouncer",
    "port",
    "prepared_statement_cache_size",
    "ssl",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "statement_cache_size",
    "target_session_attrs",
)
# what other programs' addresses say, and what to write instead
_INSTEAD = {
    "user": "write it before the @ of the address",
    "username": "write it before the @ of the address",
    "password": "write it before the @ of the address",
    "dbname": "write it behind the / of the address",
    "database": "write it behind the / of the address",
    "timeout": "write connect_timeout",
    "channel_binding": "remove it; sslmode=verify-full proves the server instead",
    "gssencmode": "remove it; connections are encrypted by TLS",
    "schema": "write options=-csearch_path%3DNAME",
    "search_path": "write options=-csearch_path%3DNAME",
    "sslpassword": "remove it, and store the client's key without a password",
}
_WITHOUT_EFFECT = {(name, word) for name in ("channel_binding", "gssencmode") for word in ("disable", "prefer")}


class TlsMode(StrEnum):
    """How a connection is encrypted, and how the server proves who it is; libpq's words."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """What a PostgreSQL address says.

    hosts            names or addresses with their ports; a folder is where a server's socket lies
    tls              what the address asks for; None: nothing, so that it depends on where the server is
    is_pooled        a pooler in transaction mode stands before it: a connection keeps nothing from one transaction to
                     the next, prepared statements included
    ca_bundle        further roots, beside the system's
    """

    hosts: tuple[tuple[str, int], ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    database: str | None = None
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: TlsMode | None = None
    is_pooled: bool = False
    ca_bundle: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether no byte leaves this machine."""
        return all(host == "localhost" or host.startswith("/") or _is_loopback(host) for host, _ in self.hosts)

    @property
    def is_verified(self) -> bool:
        """Whether a server somewhere else has to prove that it is the one the address names."""
        return self.is_local or self.tls in (None, TlsMode.VERIFY_FULL)

    def arguments(self, command_timeout_s: float | None = None) -> dict[str, Any]:
        """Give what asyncpg connects with.

        command_timeout_s  how long one statement may take; the address's own word, where it has one, comes first
        Raises  OSError (ssl.SSLError is one) when a certificate or key cannot be read
        """
        said = self.query
        given = {
            "host": [host for host, _ in self.hosts],
            "port": [port for _, port in self.hosts],
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "ssl": self._tls(),
            "direct_tls": True if said.get("sslnegotiation") == "direct" else None,
            "timeout": _seconds(said.get("connect_timeout")),
            "command_timeout": _seconds(said.get("command_timeout")) or command_timeout_s,
            "target_session_attrs": self._target(),
            "statement_cache_size": self._cache_size(),
            "server_settings": {name: said[name] for name in ("application_name", "options") if name in said} or None,
        }
        return {name: value for name, value in given.items() if value is not None}

    def _tls(self) -> ssl.SSLContext | str | bool | None:
        mode = self.tls or (None if self.is_local else TlsMode.VERIFY_FULL)
        if mode is TlsMode.DISABLE:
            return False
        if mode in (None, TlsMode.ALLOW, TlsMode.PREFER):
            return mode and mode.value
        root = self.query.get("sslrootcert", "system")
        context = ssl.create_default_context(cafile=None if root == "system" else root)
        if root == "system" and self.ca_bundle is not None:
            context.load_verify_locations(cafile=str(self.ca_bundle))
        context.check_hostname = mode is TlsMode.VERIFY_FULL
        if mode is TlsMode.REQUIRE and "sslrootcert" not in self.query:  # as libpq has it: with one, it is verified
            context.verify_mode = ssl.CERT_NONE
        if "sslcert" in self.query:
            context.load_cert_chain(self.query["sslcert"], self.query.get("sslkey"), password=_no_password)
        return context

    def _target(self) -> str | None:
        """Of several servers the one that takes writes is meant: a standby could keep nothing."""
        return self.query.get("target_session_attrs") or ("read-write" if len(self.hosts) > 1 else None)

    def _cache_size(self) -> int | None:
        if self.is_pooled:
            return 0
        size = self.query.get("statement_cache_size") or self.query.get("prepared_statement_cache_size")
        return None if size is None else int(size)


def is_postgres(url: str) -> bool:
    """Say whether an address is one of PostgreSQL's."""
    return url.startswith(_POSTGRES)


def read_postgres(url: str, ca_bundle: Path | None = None) -> PostgresAddress:
    """Give what a PostgreSQL address says.

    Raises  ValueError that names the key and the fix, and repeats no value
    """
    if not url.isprintable() or " " in url:
        raise ValueError("it holds a blank or a line break")
    if "#" in url:
        raise ValueError("it holds a #, which ends an address: write it as %23")
    # not urlsplit: with several hosts, what is between brackets is no whole host, which Python judges by its version
    front, _, asked = url.partition("://")[2].partition("?")
    place, _, name = front.partition("/")
    login, _, where = place.rpartition("@")
    user, _, password = login.partition(":")
    query = _query(asked)
    hosts = _hosts(where, query)
    _check(query)
    return PostgresAddress(
        hosts,
        unquote(user) or None,
        unquote(password) or None,
        unquote(name.lstrip("/")) or None,
        query,
        _mode(query),
        _is_pooled(query),
        ca_bundle,
    )


def _query(text: str) -> dict[str, str]:
    every = parse_qs(text, keep_blank_values=True)
    found = {name: values for name, values in every.items() if (name, values[-1]) not in _WITHOUT_EFFECT}
    for name, values in found.items():
        if name in _INSTEAD:
            raise ValueError(f"it does not know {_named(name)}: {_INSTEAD[name]}")
        if name not in _UNDERSTOOD:
            raise ValueError(f"it does not know {_named(name)}: remove it; it knows {', '.join(_UNDERSTOOD)}")
        if len(values) > 1 and name != "host":
            raise ValueError(f"it says {name} twice: keep one")
        if not all(values):
            raise ValueError(f"{name} is empty: give it a value, or remove it")
    return {name: ",".join(values) for name, values in found.items()}


def _named(name: str) -> str:
    """Give a key as it may be repeated: a password with a ? or & in it, not encoded, would look like one."""
    return (
        f"the key {name}" if re.fullmatch(r"[a-z_]{1,32}", name) else "a key (write ? and & in a password as %3F, %26)"
    )


def _hosts(where: str, query: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    if where and "host" in query:
        raise ValueError("it names a host before the / and another by the key host: keep one")
    names = [name for name in (where or query.get("host", "")).split(",") if name]
    if not names:
        raise ValueError("it names no host: write HOST before the /, or host=FOLDER with the folder of its socket")
    ports = query["port"].split(",") if "port" in query else [str(_PORT)]
    if len(ports) not in (1, len(names)):
        raise ValueError("the key port has another number of ports than there are hosts")
    return tuple(_host(name, port) for name, port in zip(names, ports * len(names), strict=False))


def _host(name: str, port: str) -> tuple[str, int]:
    name = unquote(name)
    if not name.startswith("/"):
        found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::(\d+))?", name)
        if found is None:
            raise ValueError("a host or its port is malformed: write HOST:PORT, several with commas between them")
        name, port = found[1] or found[2], found[3] or port
    if not port.isdecimal() or not 0 < int(port) <= _LAST_PORT:
        raise ValueError(f"a port is not a number from 1 to {_LAST_PORT}")
    return name, int(port)


def _check(query: Mapping[str, str]) -> None:
    for name in ("command_timeout", "connect_timeout"):
        if not (_seconds(query.get(name, "1")) or 0) > 0:
            raise ValueError(f"{name} is not a number of seconds above 0")
    for name in ("statement_cache_size", "prepared_statement_cache_size"):
        if not query.get(name, "0").isdecimal():
            raise ValueError(f"{name} is not a number; 0 is for a pooler in transaction mode")
    if query.get("target_session_attrs", "any") not in _WRITABLE:
        raise ValueError(f"target_session_attrs asks for a server that takes no writes: use {', '.join(_WRITABLE)}")
    if query.get("sslnegotiation", "direct") not in ("direct", "postgres"):
        raise ValueError("sslnegotiation is neither direct nor postgres")
    if query.get("pgbouncer", "true") not in _YES_NO:
        raise ValueError("pgbouncer is neither true nor false")
    if "sslkey" in query and "sslcert" not in query:
        raise ValueError("sslkey is there without sslcert: name the certificate that it belongs to")


def _mode(query: Mapping[str, str]) -> TlsMode | None:
    """Give what the address asks for: `sslmode`, or `ssl` as some write it."""
    known = {mode.value: mode for mode in TlsMode}
    words = {name: query[name] for name in ("sslmode", "ssl") if name in query}
    if "ssl" in words:
        yes = _YES_NO.get(words["ssl"])
        words["ssl"] = words["ssl"] if yes is None else (TlsMode.VERIFY_FULL if yes else TlsMode.DISABLE).value
    for name, word in words.items():
        if word not in known:
            raise ValueError(f"{name} is none of {', '.join(known)}")
    if len(set(words.values())) > 1:
        raise ValueError("sslmode and ssl ask for different things: keep sslmode")
    mode = next((known[word] for word in words.values()), None)
    beside = [name for name in ("sslrootcert", "sslcert", "sslnegotiation") if name in query]
    if beside and mode in (TlsMode.DISABLE, TlsMode.ALLOW, TlsMode.PREFER):
        raise ValueError(f"{beside[0]} has no effect with sslmode={mode}: use sslmode=verify-full, or remove it")
    return TlsMode.VERIFY_FULL if beside and mode is None else mode


def _is_pooled(query: Mapping[str, str]) -> bool:
    sizes = {query[name] for name in ("statement_cache_size", "prepared_statement_cache_size") if name in query}
    return _YES_NO.get(query.get("pgbouncer", ""), False) or "0" in sizes


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text) else None


def _no_password() -> str:
    """Answer for a key that is locked; asked on the terminal, a start would wait for ever."""
    raise ssl.SSLError("the client's key has a password")
