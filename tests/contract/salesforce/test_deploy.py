"""Our package and our commands at an org that has nothing of it: in, again, by whom, interrupted, refused, out."""

import asyncio
import json
import ssl
from contextlib import contextmanager
from io import StringIO
from types import SimpleNamespace

import httpx
import pytest
from rich.console import Console

from app.cli.deploy import INTEGRATION_SET, DeployRequest, deploy_package
from app.cli.retrieve import retrieve_package
from app.cli.sign_in import must_be_the_org
from app.cli.undeploy import remove_package
from app.errors import Misconfigured
from app.operations.deploy import Patience, finish
from app.operations.health.model import CheckState
from app.runtime import open_salesforce
from app.settings import env_file
from app.sync.mappings import file
from app.vendors.salesforce import org_setup
from app.vendors.salesforce.metadata.archive import package_of
from app.vendors.salesforce.metadata.deployment import TestLevel
from app.vendors.salesforce.metadata.source import PACKAGE, source_files
from tests.build import NEEDED
from tests.standins.salesforce import oauth_device
from tests.standins.salesforce.app import create_app
from tests.standins.salesforce.metadata.components import Catalog
from tests.standins.salesforce.metadata.shipped import PROJECT, deployed_from
from tests.standins.salesforce.metadata.xml_parts import text
from tests.standins.salesforce.org import Credentials
from tests.standins.salesforce.tls import throwaway
from tests.standins.serve import running

ADMIN, USER = "admin@example.test", "integration@example.test"
TOKEN, EVENT_TOKEN = "outbound-token-of-enough-characters", "event-token-of-enough-characters"
SOAP = "POST /services/Soap/m"
A_TEST = "DrChronoSenderTest.theBodyHoldsWhatTheServiceReads"


@contextmanager
def serving(folder, package):
    """An org to which a package was deployed."""
    ca_file = folder / "ca.pem"
    app = create_app(credentials=Credentials(username=USER), package=package)
    with (
        throwaway(ca_file) as files,
        running(app, ssl_certfile=files.certificate, ssl_keyfile=files.key) as url,
        httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=str(ca_file))) as control,
    ):
        yield SimpleNamespace(url=url, ca_file=ca_file, control=control, org=app.state.org)


@pytest.fixture(scope="module")
def source():
    return source_files(file.load())


@pytest.fixture(scope="module")
def count(source):
    return package_of(source).count


@pytest.fixture(scope="module")
def _empty(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("empty"), Catalog()) as org:
        yield org


@pytest.fixture(scope="module")
async def _filled(_empty, source, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        as_on_the_first_day(_empty, patch)
        await deployed(_empty, source)
    with serving(tmp_path_factory.mktemp("filled"), _empty.org.catalog) as org:
        yield org


def as_on_the_first_day(org, patch):
    """Each deployment is over at once, unless a test says otherwise."""
    patch.setattr(oauth_device, "INTERVAL_S", 0.01)
    org.control.post("/_control/reset")
    the(org, deploy_looks=0)


@pytest.fixture
def clinic(_empty, monkeypatch):
    """An org that has nothing yet."""
    as_on_the_first_day(_empty, monkeypatch)
    return _empty


@pytest.fixture
def in_place(_filled, monkeypatch):
    """An org that has the package."""
    as_on_the_first_day(_filled, monkeypatch)
    return _filled


def the(clinic, **settings):
    clinic.control.put("/_control/settings", json=settings).raise_for_status()


def settings_of(clinic, **more):
    given = {
        "salesforce_login_url": clinic.url,
        "salesforce_client_id": "standin-client-id",
        "salesforce_client_secret": "standin-client-secret",
        "salesforce_org_id": "00DSYN000000001",
        "salesforce_outbound_tokens": TOKEN,
        "salesforce_event_tokens": EVENT_TOKEN,
        "ca_bundle": clinic.ca_file,
        "database_url": "sqlite+aiosqlite:///none.db",
        **{name.lower(): value for name, value in NEEDED.items()},
    }
    return env_file.load(_env_file=None, **(given | more))


def a_terminal():
    return Console(file=StringIO(), width=400, soft_wrap=True)


async def deployed(clinic, source, **wanted):
    """Give the exit code of a deploy by an administrator, and what it printed."""
    console = a_terminal()
    request = DeployRequest(**{"user": ADMIN, "patience": Patience(looks_s=(0.0,))} | wanted)
    person = asyncio.create_task(somebody_signs_in(clinic)) if request.user else None
    code = await deploy_package(settings_of(clinic), source, console, request)
    if person is not None:
        await person
    return code, console.file.getvalue()


async def somebody_signs_in(clinic, *, user=ADMIN, allow=True):
    """Wait for a code to be shown, and type it in."""
    shown = await seen(lambda: clinic.control.get("/_control/device").json()["user_codes"])
    clinic.control.post("/_control/device", json={"user_code": shown[0], "user": user, "allow": allow})


async def retrieved(clinic, source, **more):
    console = a_terminal()
    person = asyncio.create_task(somebody_signs_in(clinic))
    code = await retrieve_package(settings_of(clinic), source, console, ADMIN, None, **({"as_json": False} | more))
    await person
    return code, console.file.getvalue()


async def undeployed(clinic, source, *, says=True):
    console, asked = a_terminal(), []
    answer = None if says is None else lambda question: bool(asked.append(question) or says)
    person = asyncio.create_task(somebody_signs_in(clinic))
    code = await remove_package(settings_of(clinic), source, console, ADMIN, None, answer)
    await person
    return code, console.file.getvalue(), asked


def names_in(clinic, type_):
    return {one.name for one in clinic.org.catalog.of(type_)}


async def test_an_empty_org_gets_everything_and_the_service_may_use_it(clinic, source):
    code, said = await deployed(clinic, source)

    assert (code, "DrChrono_Appointment__c" in names_in(clinic, "CustomObject")) == (0, True), said
    assert f"signed in as {ADMIN}" in said
    assert f"assigned to {USER}" in said
    assert clinic.org.principals == {("Chronobridge", "Service"): {"Token": EVENT_TOKEN}}
    assert EVENT_TOKEN not in said
    (message,) = [one for one in clinic.org.catalog.of("WorkflowOutboundMessage") if one.name.startswith("Contact.")]
    assert text(message.part, "endpointUrl") == f"https://sync.example.com/webhooks/salesforce/outbound/{TOKEN}"
    assert text(message.part, "integrationUser") == USER


async def test_a_second_deploy_changes_nothing_and_says_so(in_place, source, count):
    code, said = await deployed(in_place, source)

    assert (code, f"nothing to do: all {count} components are there as they are" in said) == (0, True), said


async def test_a_dry_run_says_what_would_come_of_it_and_changes_nothing(clinic, source):
    code, said = await deployed(clinic, source, dry_run=True)

    assert (code, names_in(clinic, "CustomObject")) == (0, set())
    assert "the org would take it: " in said
    assert "assigned" not in said


async def test_an_integration_user_that_may_not_deploy_is_told_of_the_way_that_may(clinic, source):
    code, said = await deployed(clinic, source, user=None)

    assert code == 1
    assert f"{USER} may not change the org" in said
    assert "--user" in said


@pytest.mark.parametrize(
    ("person", "words"),
    [({"allow": False}, "access was denied"), ({"user": USER}, f"signed in as {USER}, not as {ADMIN}")],
    ids=["refuses", "is somebody else"],
)
async def test_whoever_does_not_consent_or_is_another_deploys_nothing(clinic, source, person, words):
    console, signs_in = a_terminal(), asyncio.create_task(somebody_signs_in(clinic, **person))

    code = await deploy_package(settings_of(clinic), source, console, DeployRequest(user=ADMIN))

    await signs_in
    assert (code, words in console.file.getvalue(), clinic.org.deploys) == (1, True, {}), console.file.getvalue()


async def test_what_the_org_refuses_is_told_by_component_with_its_fix_and_nothing_stays(clinic, source):
    path = "force-app/main/permissionsets/DrChrono_Viewer.permissionset-meta.xml"
    broken = {**source, path: source[path].replace(b"Contact.DrChrono_Status__c", b"Contact.DrChrono_Statos__c")}

    code, said = await deployed(clinic, broken)

    (line,) = [one for one in said.splitlines() if one.startswith("✗ ")]
    assert (code, line.startswith("✗ PermissionSet DrChrono_Viewer (permissionsets/DrChrono_Viewer.")) == (1, True), (
        said
    )
    assert "  → the org lacks what is named there" in said
    assert TOKEN not in said
    assert names_in(clinic, "CustomObject") == set()


async def test_a_production_org_runs_our_tests_and_says_which_flows_nobody_runs_yet(clinic, source):
    the(clinic, production=True)
    clinic.org.tables["organization"].rows[clinic.org.credentials.org_id]["IsSandbox"] = False

    code, said = await deployed(clinic, source)

    assert "RunSpecifiedTests" in said
    assert (code, "✗ flows: not active" in said, "press Activate" in said) == (1, True, True), said


@pytest.mark.parametrize(
    ("settings", "begins", "fix"),
    [
        ({"failing_tests": {A_TEST: "Expected: 1, Actual: 2"}}, f"✗ test {A_TEST}", "Expected: 1, Actual: 2"),
        ({"apex_coverage": 60}, "✗ coverage: Average", "--test-level RunSpecifiedTests"),
    ],
    ids=["a test fails", "too little is covered"],
)  # fmt: skip
async def test_what_the_tests_of_an_org_say_is_told_by_test_and_nothing_stays(clinic, source, settings, begins, fix):
    the(clinic, production=True, **settings)

    code, said = await deployed(clinic, source, level=TestLevel.SPECIFIED)

    assert (code, f"\n{begins}" in said, fix in said, names_in(clinic, "CustomObject")) == (
        1, True, True, set(),
    ), said  # fmt: skip


async def test_an_org_that_is_away_while_it_deploys_is_waited_for_and_a_lost_session_renewed(clinic, source, count):
    the(clinic, deploy_looks=2, integration_may_deploy=True)
    task = asyncio.create_task(deployed(clinic, source, user=None))
    await began(clinic)
    clinic.control.post("/_control/faults", json={"match": SOAP, "do": "error", "status": 502, "body": "<html/>"})
    clinic.control.post("/_control/sessions/expire")

    _, said = await task

    assert f"deployed: {count} new of {count} components" in said


async def test_an_administrator_whose_session_ends_is_told_how_to_find_the_deployment_again(clinic, source):
    the(clinic, deploy_looks=2)
    task = asyncio.create_task(deployed(clinic, source))
    (id_,) = await began(clinic)
    clinic.control.post("/_control/sessions/expire")

    code, said = await task

    assert (code, f"chronobridge salesforce deploy --follow {id_} finds it" in said) == (1, True), said


async def test_a_lost_answer_to_the_package_is_no_second_change(clinic, source):
    clinic.control.post("/_control/faults", json={"match": SOAP, "do": "drop_after_commit"})

    code, said = await deployed(clinic, source)

    assert (code, len(clinic.org.deploys)) == (0, 2), said


async def test_an_interrupted_deploy_is_canceled_and_changes_nothing(clinic, source):
    the(clinic, deploy_looks=5)
    task = asyncio.create_task(deployed(clinic, source))
    await began(clinic)

    task.cancel()
    code, said = await task

    assert (code, "canceled: nothing was changed" in said) == (1, True), said
    assert "--follow 0Af" in said
    assert names_in(clinic, "CustomObject") == set()


async def test_a_deployment_under_way_is_found_by_its_id_and_followed_to_its_end(clinic, source, count):
    the(clinic, deploy_looks=2)
    first = asyncio.create_task(deployed(clinic, source))
    (id_,) = await began(clinic)
    clinic.control.post("/_control/sessions/expire")
    await first

    code, said = await deployed(clinic, source, follow=id_)

    assert (code, list(clinic.org.deploys), f"deployed: {count} new" in said) == (0, [id_], True), said


async def began(clinic):
    return await seen(lambda: tuple(clinic.org.deploys))


async def seen(look):
    while not (found := look()):  # noqa: ASYNC110 - the stand-in is on a thread of its own
        await asyncio.sleep(0.01)
    return found


async def test_what_the_org_holds_is_as_the_mapping_says_until_somebody_changes_it(in_place, source):
    as_deployed = await retrieved(in_place, source)
    path = "force-app/main/objects/Contact/fields/DrChrono_Status__c.field-meta.xml"
    other = {**source, path: source[path].replace(b"<label>DrChrono Status</label>", b"<label>Standing</label>")}
    await deployed(in_place, other)

    code, said = await retrieved(in_place, source)
    _, document = await retrieved(in_place, source, as_json=True)

    assert as_deployed[0] == 0, as_deployed
    assert (code, "~ Contact.DrChrono_Status__c: label is 'Standing' in the org, not 'DrChrono Status'" in said) == (
        1,
        True,
    ), said
    assert json.loads(document)["differences"] == [
        {"component": "Contact.DrChrono_Status__c", "says": "label is 'Standing' in the org, not 'DrChrono Status'"}
    ]


async def test_nothing_is_taken_out_before_a_person_has_seen_what_it_holds_and_said_so(in_place, source):
    in_place.control.post("/_control/records/Contact", json={"LastName": "Sample", "DrChrono_Patient_Id__c": "1"})

    shown = await undeployed(in_place, source, says=None)
    code, said, asked = await undeployed(in_place, source, says=False)

    assert shown[0] == 0
    assert (code, len(asked), "DrChrono_Appointment__c" in names_in(in_place, "CustomObject")) == (1, 1, True)
    assert "! Contact.DrChrono_Patient_Id__c: 1 records hold something in it" in said
    assert "- Flow: DrChrono_Appointment_Created, " in said


async def test_the_package_leaves_the_org_with_its_active_flows_and_its_assignments(in_place, source):

    code, said, _ = await undeployed(in_place, source)

    left = {type_: names_in(in_place, type_) for type_ in package_of(source).members}
    assert (code, {type_: names for type_, names in left.items() if names}) == (0, {}), said
    assert (await undeployed(in_place, source))[1].endswith("nothing to do: nothing of the package is in the org\n")


async def test_what_the_package_brings_for_documents_leaves_with_it(tmp_path, monkeypatch):
    source = source_files(file.load(PACKAGE / "mapping.toml"))
    with serving(tmp_path, deployed_from(PROJECT, USER)) as org:
        as_on_the_first_day(org, monkeypatch)

        code, said, _ = await undeployed(org, source)

        left = names_in(org, "ApexTrigger") | names_in(org, "ApexClass") | names_in(org, "CustomField")
        assert (code, left) == (0, set()), said


async def test_a_flow_is_switched_off_and_every_version_of_it_is_named_where_the_org_says_so(in_place):
    versions = [{"Definition": {"DeveloperName": "Tell"}, "VersionNumber": number} for number in (1, 2)]
    query, patch = (
        "GET /services/data/v67.0/tooling/query",
        "PATCH /services/data/v67.0/tooling/sobjects/FlowDefinition",
    )
    for match, status, body in (
        (query, 200, {"totalSize": 1, "done": True, "records": [{"Id": "300SYN000000001AAA"}]}),
        (patch, 204, ""),
        (query, 200, {"totalSize": 2, "done": True, "records": versions}),
    ):
        rule = {"match": match, "do": "error", "status": status, "body": body}
        in_place.control.post("/_control/faults", json=rule).raise_for_status()

    async with open_salesforce(settings_of(in_place)) as org:
        await org_setup.deactivate_flows(org, ["Tell"])
        named = await org_setup.flow_versions(org, ["Tell"])

    paths = [one["path"].rpartition("/")[2] for one in in_place.control.get("/_control/calls").json()["calls"]]
    assert (named, paths[-2]) == (["Tell-1", "Tell-2"], "300SYN000000001AAA")


@pytest.mark.parametrize("meant", ["00DOTHER0000001", "https://other.my.salesforce.com"])
def test_another_org_than_the_one_of_the_settings_is_refused_before_anything_is_asked(clinic, meant):
    with pytest.raises(Misconfigured, match="--org"):
        must_be_the_org(settings_of(clinic), meant)


def test_the_org_of_the_settings_is_known_by_either_name(clinic):
    must_be_the_org(settings_of(clinic), "00DSYN000000001")
    must_be_the_org(settings_of(clinic), f"{clinic.url}/")


async def test_an_api_older_than_the_package_is_named_before_anything_is_sent(clinic, source):
    settings = settings_of(clinic, salesforce_api_version="66.0")

    with pytest.raises(Misconfigured, match=r"SALESFORCE_API_VERSION is 66\.0: expected 67\.0"):
        await deploy_package(settings, source, a_terminal(), DeployRequest())

    assert clinic.org.deploys == {}


@pytest.mark.parametrize(
    ("token", "signed", "words"),
    [(None, False, "set SALESFORCE_EVENT_TOKENS"), (EVENT_TOKEN, True, "leave SALESFORCE_EVENT_SIGNING_KEYS out")],
    ids=["no token", "only signed ones"],
)
async def test_events_that_the_service_would_refuse_are_told(in_place, source, token, signed, words):
    async with open_salesforce(settings_of(in_place)) as org:
        user = await org_setup.current_user(org)
        findings = await finish(org, package_of(source), INTEGRATION_SET, user, token, signed=signed)

    (events,) = [one for one in findings if one.name == "events"]
    assert (events.state, words in events.fix, in_place.org.principals) == (CheckState.WARNING, True, {})
