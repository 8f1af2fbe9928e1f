"""What REDIS_URL says: every form that is described, and nothing that would be passed over."""

import pytest

from app.redis_url import read_redis

CONNECTS = {"socket_connect_timeout": 1.0, "db": 0}


@pytest.mark.parametrize(
    ("url", "hosts", "options"),
    [
        ("redis://cache", [("cache", 6379)], {}),
        ("redis://cache:7000/2", [("cache", 7000)], {"db": 2}),
        ("redis://[::1]:7000?db=2", [("::1", 7000)], {"db": 2}),
        ("redis://:p%40s%2Fs@cache", [("cache", 6379)], {"password": "p@s/s"}),
        ("redis://me:a:b@cache", [("cache", 6379)], {"username": "me", "password": "a:b"}),
        ("redis://c?socket_timeout=2.5&client_name=x", [("c", 6379)], {"socket_timeout": 2.5, "client_name": "x"}),
        ("rediss://cache", [("cache", 6379)], {"ssl_check_hostname": True}),
        ("rediss://c?ssl_cert_reqs=none", [("c", 6379)], {"ssl_check_hostname": False, "ssl_cert_reqs": "none"}),
        ("unix:///run/cache%20here.sock?db=3", [], {"path": "/run/cache here.sock", "db": 3}),
        ("redis+sentinel://:secret@a,b:5/main/1", [("a", 26379), ("b", 5)], {"password": "secret", "db": 1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_an_address_says_where_and_how(url, hosts, options):
    address = read_redis(url)

    assert (list(address.hosts), dict(address.options)) == (hosts, CONNECTS | options)
    assert "secret" not in repr(address)


def test_sentinels_are_asked_with_a_password_of_their_own_and_by_the_same_roots(tmp_path):
    address = read_redis("rediss+sentinel://me:one@a/main?sentinel_password=two", tmp_path / "roots.pem")

    tls = {"ssl_check_hostname": True, "ssl_ca_certs": str(tmp_path / "roots.pem")}
    assert dict(address.sentinel) == {"password": "two", "socket_connect_timeout": 1.0, **tls}
    assert dict(address.options) == CONNECTS | tls | {"username": "me", "password": "one"}


@pytest.mark.parametrize(
    "url",
    [
        *("127.0.0.1", "http://cache", "redis://", "redis:///1", "redis://cache:0", "redis://cache:99999", "redis://a,b"),
        *("redis://cache/x", "redis://cache/1/2", "redis://cache/1?db=2", "redis://cache?db=x", "redis://a b"),
        *("redis://cache?ssl_cert_reqs=none", "rediss://cache?ssl_cert_reqs=some", "redis://cache?timeout=1"),
        *("redis://p/ss@cache", "redis://p#ss@cache", "redis://cache#1", "redis://cache\n"),
        *("redis+sentinel://a", "redis+sentinel:///main", "redis://cache?sentinel_password=x", "unix://", "unix://run/x"),
    ],
)  # fmt: skip
def test_what_it_cannot_mean_is_refused_without_being_shown(url):
    with pytest.raises(ValueError, match=r"^[a-z]") as refused:
        read_redis(url.replace("@", ":Canary@"))

    assert "Canary" not in str(refused.value)
