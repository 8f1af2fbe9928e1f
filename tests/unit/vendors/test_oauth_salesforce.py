"""Salesforce's sign-in: a token goes to Salesforce or the login host, and is of our org, or is refused."""

from contextlib import suppress

import pytest
from authlib.jose import jwt
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from app.errors import Unauthorized
from app.vendors.http import trusted
from app.vendors.salesforce.oauth import Credentials, SalesforceGrant

ORG = "00D5g000001AbCd"
LOGIN = "https://acme.my.salesforce.com"
CONTEXT = trusted(None)


def a_grant(login_url=LOGIN, org_id=ORG + "EAK", client_secret="secret", username=None, private_key=None):
    return SalesforceGrant(Credentials(login_url, "client", client_secret, username, private_key, org_id), CONTEXT)


GRANT = a_grant()


def allowed(instance, grant=GRANT):
    """The instance a token may be sent to, or None."""
    try:
        return grant.allowed_instance({"instance_url": instance})
    except Unauthorized as error:
        assert error.cause == "INSTANCE_NOT_ALLOWED"  # noqa: PT017 - both endings are answers here
        return None


@pytest.mark.parametrize(
    "instance",
    [
        "https://acme.my.salesforce.com",
        "https://acme--dev.sandbox.my.salesforce.com",
        "https://acme.my.salesforce.mil",
        "https://na139.salesforce.com",
        "https://ACME.MY.SALESFORCE.COM",
        "https://acme.my.salesforce.com:443",
    ],
)
def test_a_host_of_salesforces_own_is_allowed(instance):
    assert allowed(instance) == instance


@pytest.mark.parametrize(
    "instance",
    [
        "",
        "acme.my.salesforce.com",
        "http://acme.my.salesforce.com",
        "https://acme.my.salesforce.com:8443",
        "https://acme.my.salesforce.com.evil.example",
        "https://evil.example/.my.salesforce.com",
        "https://evil.example?.my.salesforce.com",
        "https://evil.example#.my.salesforce.com",
        "https://acme.my.salesforce.com@evil.example",
        "https://mysalesforce.com",
        "https://salesforce.com.",
        "https://127.0.0.1",
        "ftp://acme.my.salesforce.com",
        "//acme.my.salesforce.com",
    ],
)
def test_any_other_host_scheme_or_port_is_refused(instance):
    assert allowed(instance) is None


def test_an_answer_without_an_instance_is_refused():
    with pytest.raises(Unauthorized):
        GRANT.allowed_instance({})


@pytest.mark.parametrize("instance", ["https://127.0.0.1:8443", "https://localhost:8443"])
def test_the_host_and_port_of_the_login_address_are_allowed(instance):
    assert allowed(instance, a_grant(instance)) == instance


@pytest.mark.parametrize("instance", ["https://127.0.0.1", "https://127.0.0.1:8444", "http://127.0.0.1:8443"])
def test_another_port_or_scheme_on_the_login_host_is_refused(instance):
    assert allowed(instance, a_grant("https://127.0.0.1:8443")) is None


def test_the_path_of_an_instance_is_dropped():
    assert allowed("https://acme.my.salesforce.com/services?a=b") == "https://acme.my.salesforce.com"


@pytest.mark.parametrize(
    "instance", [r"https://evil.example\.my.salesforce.com", r"https://evil.example\@acme.salesforce.com"]
)
def test_an_instance_that_two_parsers_read_as_two_hosts_is_refused(instance):
    assert allowed(instance) is None


@pytest.mark.parametrize("instance", ["https://acme.my.salesforce.com:port", "https://[acme.my.salesforce.com"])
def test_an_instance_that_cannot_be_read_is_refused(instance):
    assert allowed(instance) is None


@given(
    start=st.sampled_from(["https://", "http://", ""]), host=st.text("a.-:@/?#%", max_size=12),
    end=st.sampled_from([".my.salesforce.com", "", ".example"]),
)  # fmt: skip
def test_a_token_only_ever_goes_to_a_host_of_salesforces(start, host, end):
    found = None
    with suppress(ValueError):  # the test above says what these should be
        found = allowed(start + host + end)

    assert found is None or parse_url(found).host.endswith(".salesforce.com")


@pytest.mark.parametrize("org", [ORG, ORG + "EAK", ORG + "2BA"], ids=["15", "18", "another check"])
@pytest.mark.parametrize("ours", [ORG, ORG + "EAK"], ids=["ours 15", "ours 18"])
def test_our_org_is_known_by_its_first_fifteen_characters(org, ours):
    token = {"id": f"https://login.salesforce.com/id/{org}/0055g000001AbCdEAK"}

    assert a_grant(org_id=ours)._must_be_our_org(token) is None


@pytest.mark.parametrize(
    "identity",
    [
        "https://login.salesforce.com/id/00D5g000001AbCeEAK/0055g000001AbCdEAK",
        f"https://login.salesforce.com/id/{ORG.lower()}/0055g000001AbCdEAK",
        f"https://login.salesforce.com/id/{ORG}",
        f"https://login.salesforce.com/{ORG}/id/005",
        ORG,
        "",
        None,
    ],
    ids=["another", "another case", "no user", "another place", "bare", "empty", "null"],
)
def test_another_org_is_refused(identity):
    with pytest.raises(Unauthorized) as raised:
        GRANT._must_be_our_org({"id": identity})

    assert raised.value.cause == "OTHER_ORG"


def test_credentials_show_no_secret(rsa_key):
    shown = repr(Credentials(LOGIN, "client", "hunter2secret", "user", rsa_key[1], ORG))

    assert "hunter2secret" not in shown
    assert "PRIVATE KEY" not in shown


def test_with_a_secret_the_credentials_are_granted_to_the_client():
    assert GRANT._form() == {"grant_type": "client_credentials"}


def test_with_a_key_an_assertion_names_us_the_user_and_the_login_host(rsa_key):
    grant = a_grant(client_secret=None, username="sync@acme.example", private_key=rsa_key[1])

    form = grant._form()

    claims = jwt.decode(form["assertion"], rsa_key[0].public_key())
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("client", "sync@acme.example", LOGIN)
    assert 0 < claims["exp"] - claims["iat"] <= 300
