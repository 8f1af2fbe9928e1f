"""Addresses, each read from text and checked: of web sites, of Salesforce, of databases, of Redis, of scanners.

A check complains in words of ours and without the address, which may hold a password.
"""

from urllib.parse import SplitResult, urlsplit

from app.database_url import SQLITE, is_postgres, read_postgres
from app.redis_url import read_redis
from app.scanner_url import read_scanner

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SALESFORCE_SUFFIXES = (".my.salesforce.com", ".my.salesforce.mil", ".salesforce.com")


def one_line(value: str) -> str:
    """Give a value that is one word on one line.

    Raises  ValueError
    """
    if not value.isprintable() or " " in value or "\\" in value:
        raise ValueError("it holds a blank, a backslash or a line break")
    return value


def split_address(value: str) -> SplitResult:
    """Give an address in its parts.

    Raises  ValueError in words of ours: the library's may repeat the value
    """
    try:
        url = urlsplit(value)
        _ = url.port
    except ValueError:
        raise ValueError("it is not an address, or its port is not a number from 1 to 65535") from None
    return url


def web_url(value: str) -> str:
    """Give an https address, or one of this machine, without a slash at its end.

    Raises  ValueError
    """
    url = split_address(one_line(value))
    if url.scheme not in ("https", "http") or not url.hostname or url.query or url.fragment or url.username:
        raise ValueError("it is not an https address")
    if url.scheme == "http" and url.hostname not in LOOPBACK:
        raise ValueError("plain http is allowed for this machine only; use https")
    return value.rstrip("/")


def origin(value: str) -> str:
    """Give the https address of a host, and of nothing below it.

    Raises  ValueError
    """
    if split_address(value).scheme != "https" or split_address(value).path.rstrip("/"):
        raise ValueError("it is not the https address of a host")
    return web_url(value)


def salesforce_origin(value: str) -> str:
    """Give the address of a host of Salesforce's, the only ones that may get a secret.

    Raises  ValueError
    """
    host = split_address(origin(one_line(value))).hostname or ""
    if not host.endswith(SALESFORCE_SUFFIXES) and host not in LOOPBACK:
        raise ValueError(f"its host ends in none of {', '.join(SALESFORCE_SUFFIXES)}: another would get the secret")
    return value.rstrip("/")


def issuer(value: str) -> str:
    """Give the address of an issuer, to the letter: tokens repeat it, a slash at its end included.

    Raises  ValueError
    """
    web_url(value)
    return value


def database_url(value: str) -> str:
    """Give the address of a database that this service can use.

    Raises  ValueError
    """
    if is_postgres(value):
        read_postgres(value)  # raises, and says why
        return value
    if not value.startswith(SQLITE):
        raise ValueError("it names no database this service can use")
    path = value.removeprefix(SQLITE)
    if path in ("", ":memory:"):
        raise ValueError("a database in memory would lose what was acknowledged")
    if not value.isprintable() or "?" in value or "#" in value:
        raise ValueError("it holds a ?, a # or a line break: behind /// only the path of a file can stand")
    return value


def redis_url(value: str) -> str:
    """Give the address of a Redis or Valkey.

    Raises  ValueError
    """
    read_redis(one_line(value))  # raises, and says why
    return value


def scanner_url(value: str) -> str:
    """Give the address of a scanner.

    Raises  ValueError
    """
    read_scanner(value)  # raises, and says why
    return value
