"""DATABASE_URL: what every form of a PostgreSQL address means to the driver, and what is refused, with the fix."""

import ssl

import pytest
import trustme

from app.database_url import read_postgres
from app.store.postgres import engine_options, url_of

HOST = "postgresql+asyncpg://u:p@db.example.com/x"
HERE = "postgresql+asyncpg://u:p@127.0.0.1/x"
POOLED = ("pgbouncer=true", "statement_cache_size=0", "prepared_statement_cache_size=0")


@pytest.fixture
def files(tmp_path):
    """A root, and a client's certificate of it with its key, as files."""
    authority = trustme.CA()
    client = authority.issue_cert("client@example.com")
    authority.cert_pem.write_to_path(tmp_path / "root.pem")
    client.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    client.private_key_pem.write_to_path(tmp_path / "client.key")
    return tmp_path


def arguments(url, **given):
    return read_postgres(url, **given).arguments(30)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_an_address_says_who_connects_to_what(scheme):
    given = arguments(f"{scheme}://u%40x:p%2F%3F%23@db.example.com:6432/the%20name")

    assert {name: given[name] for name in ("host", "port", "user", "password", "database")} == {
        "host": ["db.example.com"], "port": [6432], "user": "u@x", "password": "p/?#", "database": "the name",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("where", "hosts", "ports"),
    [
        ("u@db/x", ["db"], [5432]),
        ("u@[2001:db8::1]:5433/x", ["2001:db8::1"], [5433]),
        ("u@a,b:5433/x", ["a", "b"], [5432, 5433]),
        ("u@/x?host=a:1&host=b:2", ["a", "b"], [1, 2]),
        ("u@/x?host=a,b&port=1,2", ["a", "b"], [1, 2]),
        ("u@/x?host=/var/run/postgresql", ["/var/run/postgresql"], [5432]),
        ("/x?host=/cloudsql/p:r:i&port=5433", ["/cloudsql/p:r:i"], [5433]),
        ("u@%2Fvar%2Frun/x", ["/var/run"], [5432]),
    ],
    ids=str,
)
def test_servers_are_named_in_all_the_usual_forms(where, hosts, ports):
    given = arguments(f"postgresql://{where}")

    assert (given["host"], given["port"]) == (hosts, ports)


def test_of_several_servers_the_one_that_takes_writes_is_used():
    assert arguments("postgresql://u@a,b/x")["target_session_attrs"] == "read-write"
    assert arguments("postgresql://u@a,b/x?target_session_attrs=primary")["target_session_attrs"] == "primary"
    assert "target_session_attrs" not in arguments(HOST)


@pytest.mark.parametrize("query", ["", "?ssl=true", "?sslmode=verify-full", "?sslrootcert=system"])
def test_a_server_elsewhere_must_prove_that_it_is_the_one_that_is_named(query):
    address = read_postgres(HOST + query)
    context = address.arguments()["ssl"]

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert address.is_verified


@pytest.mark.parametrize(
    "url", [HERE, "postgresql://u@localhost/x", "postgresql://u@[::1]/x", "postgresql://u@127.8.8.8/x",
            "postgresql:///x?host=/var/run/postgresql"],
)  # fmt: skip
def test_on_this_machine_the_driver_may_choose(url):
    assert "ssl" not in arguments(url)
    assert read_postgres(url).is_verified


@pytest.mark.parametrize(
    ("query", "verify", "names"),
    [("sslmode=require", ssl.CERT_NONE, False), ("ssl=require", ssl.CERT_NONE, False),
     ("sslmode=verify-ca", ssl.CERT_REQUIRED, False), ("sslmode=require&sslrootcert=system", ssl.CERT_REQUIRED, False)],
)  # fmt: skip
def test_less_is_verified_where_the_address_asks_for_less_and_that_is_known(query, verify, names):
    address = read_postgres(f"{HOST}?{query}")
    context = address.arguments()["ssl"]

    assert (context.verify_mode, context.check_hostname) == (verify, names)
    assert not address.is_verified


@pytest.mark.parametrize(
    ("query", "told"),
    [("sslmode=disable", False), ("ssl=false", False), ("sslmode=prefer", "prefer"), ("sslmode=allow", "allow")],
)
def test_an_address_may_do_without_encryption_and_that_is_known(query, told):
    assert arguments(f"{HOST}?{query}")["ssl"] == told
    assert not read_postgres(f"{HOST}?{query}").is_verified


def test_roots_are_those_of_the_system_and_the_bundle_or_the_one_file_that_the_address_names(files):
    by_bundle = arguments(HOST, ca_bundle=files / "root.pem")["ssl"].get_ca_certs(binary_form=True)
    by_file = arguments(f"{HOST}?sslrootcert={files}/root.pem", ca_bundle=files / "client.pem")["ssl"]

    ours = ssl.PEM_cert_to_DER_cert((files / "root.pem").read_text())
    assert ours in by_bundle
    assert by_file.get_ca_certs(binary_form=True) == [ours]
    assert by_file.check_hostname


def test_a_client_may_prove_itself_by_a_certificate(files):
    given = arguments(f"{HOST}?sslcert={files}/client.pem&sslkey={files}/client.key&sslnegotiation=direct")

    assert given["direct_tls"] is True
    with pytest.raises(OSError):
        arguments(f"{HOST}?sslcert={files}/client.pem&sslkey={files}/absent.key")


def test_how_long_things_may_take_and_what_the_server_is_told():
    query = "command_timeout=5&connect_timeout=2.5&application_name=bridge&options=-csearch_path%3Dclinic"
    given = arguments(f"{HOST}?{query}")

    assert (given["command_timeout"], given["timeout"]) == (5.0, 2.5)
    assert given["server_settings"] == {"application_name": "bridge", "options": "-csearch_path=clinic"}
    assert arguments(HOST)["command_timeout"] == 30


@pytest.mark.parametrize("query", POOLED)
def test_behind_a_pooler_in_transaction_mode_no_statement_is_kept_or_named(query):
    address = read_postgres(f"{HOST}?{query}")
    given = engine_options(address)["connect_args"]

    assert address.is_pooled
    assert (given["statement_cache_size"], given["prepared_statement_cache_size"]) == (0, 0)
    assert given["prepared_statement_name_func"]() == ""


@pytest.mark.parametrize("query", ["channel_binding=prefer", "gssencmode=disable&channel_binding=disable"])
def test_what_changes_nothing_is_passed_over(query):
    assert read_postgres(f"{HOST}?{query}") == read_postgres(HOST)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://u:p%40%2F@a:1/x?sslmode=require&application_name=b%20c",
        "postgresql://u@a:1,[::2]:3/x?connect_timeout=2",
        "postgresql://u@/x?host=/var/run/postgresql&port=5433",
        "postgres://a",
    ],
)
def test_an_address_says_the_same_in_sqlalchemys_form(url):
    address = read_postgres(url)
    again = read_postgres(url_of(address).render_as_string(hide_password=False))

    assert again.arguments() | {"ssl": 0} == address.arguments() | {"ssl": 0}
    assert again.tls == address.tls


REFUSED = {
    "sslcrl=/x": "does not know the key sslcrl: remove it",
    "keepalives=1": "does not know the key keepalives: remove it",
    "user=u": "does not know the key user: write it before the @",
    "dbname=x": "does not know the key dbname: write it behind the /",
    "timeout=3": "does not know the key timeout: write connect_timeout",
    "channel_binding=require": "does not know the key channel_binding: remove it; sslmode=verify-full",
    "schema=x": "does not know the key schema: write options=",
    "sslpassword=hunter2": "does not know the key sslpassword: remove it",
    "sslmode=no-verify": "sslmode is none of disable, allow, prefer, require, verify-ca, verify-full",
    "ssl=maybe": "ssl is none of",
    "sslmode=require&ssl=disable": "ask for different things: keep sslmode",
    "sslmode=require&sslmode=disable": "says sslmode twice: keep one",
    "sslmode=": "sslmode is empty: give it a value, or remove it",
    "sslmode=prefer&sslrootcert=/r.pem": "sslrootcert has no effect with sslmode=prefer: use sslmode=verify-full",
    "sslkey=/k.pem": "sslkey is there without sslcert",
    "target_session_attrs=standby": "takes no writes: use any, primary, read-write",
    "target_session_attrs=read-only": "takes no writes",
    "command_timeout=soon": "command_timeout is not a number of seconds",
    "command_timeout=0": "command_timeout is not a number of seconds",
    "connect_timeout=nan": "connect_timeout is not a number of seconds",
    "statement_cache_size=-1": "statement_cache_size is not a number",
    "prepared_statement_cache_size=off": "prepared_statement_cache_size is not a number",
    "pgbouncer=perhaps": "pgbouncer is neither true nor false",
    "sslnegotiation=later": "sslnegotiation is neither direct nor postgres",
    "host=other": "names a host before the / and another by the key host",
    "port=1,2": "another number of ports than there are hosts",
    "port=x": "a port is not a number",
    "hunter2@secret=1": "does not know a key (write ? and & in a password as %3F, %26)",
}


@pytest.mark.parametrize(("query", "says"), REFUSED.items(), ids=list(REFUSED))
def test_a_key_that_is_not_understood_is_named_with_the_fix(complaint, query, says):
    line = complaint(DATABASE_URL=f"{HOST}?{query}")

    assert line.startswith("DATABASE_URL is wrong (")
    assert says in line
    assert "hunter2" not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u@db:port/x", "malformed"),
        ("postgresql://u@db:99999/x", "from 1 to 65535"),
        ("postgresql://u@a:1:2/x", "malformed"),
        ("postgresql://u@a,b:x/x", "malformed"),
        ("postgresql:///x", "names no host"),
        ("postgresql://u:a#b@db/x", "%23"),
        ("postgresql://u@db/x\ny", "line break"),
        ("postgresql+psycopg://u@db/x", "no database this service can use"),
        ("sqlite+aiosqlite:///x.db?timeout=3", "only the path of a file"),
        ("sqlite+aiosqlite:///x\n.db", "only the path of a file"),
    ],
)
def test_an_address_that_is_none_is_refused_in_one_line(complaint, url, says):
    line = complaint(DATABASE_URL=url)

    assert says in line
    assert "\n" not in line


def test_a_file_that_an_address_names_is_read_at_the_start(complaint, said, files):
    said(DATABASE_URL=f"{HOST}?sslrootcert={files}/root.pem")

    for name in ("absent.pem", "client.key"):
        assert "sslrootcert" in complaint(DATABASE_URL=f"{HOST}?sslrootcert={files}/{name}")
