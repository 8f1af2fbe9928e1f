"""The check of our own house: one line per thing, and what to do where it is not right."""

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.cli.supervise import free_port
from app.errors import Misconfigured
from app.operations.health.model import CheckState, report
from app.operations.selfcheck import SettingsOrigin, check_everything, check_files
from app.runtime import open_runtime
from app.store.tables import connections, metadata
from tests.flow.checked import changed, found, line, reds, served
from tests.flow.clinic import SECRET
from tests.standins.serve import running


async def rows(clinic, side):
    return [row for row in await clinic.rows(connections) if row.side == side]


async def test_where_everything_is_right_nothing_is_red(clinic, known):
    with served(known) as listening:
        findings = await found(listening)

    assert reds(findings) == {}
    assert {finding.name for finding in findings if finding.state is CheckState.WARNING} == {"webhook"}, "loopback"


async def test_the_lines_come_in_the_order_a_person_would_go_about_it(clinic, known):
    with served(known) as listening:
        findings = await found(listening)

    assert [finding.name for finding in findings] == [
        "settings", "files", "database", "redis", "encryption keys", "hash keys",
        "drchrono token", "drchrono user", "drchrono scopes", "drchrono permissions", "drchrono calls",
        "doctors' zones", "salesforce token", "salesforce org", "salesforce version", "salesforce calls",
        "mapping: patient", "mapping: appointment", "mapping: doctor", "mapping: office", "salesforce organization",
        "webhook", "proxies", "initial sync",
        "last delivery: drchrono appointment", "last delivery: drchrono patient",
        "last delivery: salesforce appointment", "last delivery: salesforce patient",
    ]  # fmt: skip


async def test_every_line_that_is_not_right_says_what_to_do_and_no_other_does(clinic, known):
    findings = await found(known)

    is_well = {CheckState.OK, CheckState.NOT_YET}
    assert [one for one in findings if (one.fix is None) is not (one.state in is_well)] == []


async def test_a_proxy_that_nobody_trusts_is_told_of_once_a_request_came_by_it(clinic, known):
    before = line(await found(known), "proxies")
    await clinic.web.get("/login", headers={"x-forwarded-for": "198.51.100.7"})
    await clinic.app.state.runtime.counts.save(clinic.runtime.database)

    after = line(await found(known), "proxies")
    trusting = line(await found(changed(known, trusted_proxies="10.0.0.7")), "proxies")

    assert (before.state, after.state, trusting.state) == (CheckState.OK, CheckState.WARNING, CheckState.OK)
    assert "TRUSTED_PROXIES" in after.fix


async def test_the_check_changes_nothing_of_what_is_stored_but_the_count_of_its_calls_and_what_the_org_says(
    clinic, known
):
    its_own = ("lane_calls", "allowances", "org_descriptions")
    tables = [table for table in metadata.sorted_tables if table.name not in its_own]
    before = {table.name: await clinic.rows(table) for table in tables}

    await found(known)

    assert {table.name: await clinic.rows(table) for table in tables} == before


async def test_the_check_asks_salesforce_for_a_fresh_token_and_stores_none(clinic, known):
    await clinic.arrives(await clinic.registers(first_name="Ada", last_name="Test"))
    (before,) = await rows(clinic, "salesforce")
    logins = clinic.salesforce.get("/_control/sessions").json()["logins"]

    await found(known)

    assert clinic.salesforce.get("/_control/sessions").json()["logins"] == logins + 1
    assert await rows(clinic, "salesforce") == [before]


async def test_a_report_for_scripts_says_all_of_it_in_one_shape(clinic, known):
    told = report(await found(known))

    assert told.keys() == {"ok", "checks"}
    assert [one for one in told["checks"] if one.keys() != {"name", "state", "says", "fix", "part"}] == []
    assert told["ok"] is all(one["state"] != "red" for one in told["checks"])


async def test_a_mapping_file_that_is_wrong_is_told_before_anything_is_looked_at(known, tmp_path):
    (tmp_path / "mine.toml").write_text('[patient]\ndrchrono = "/api/patients"\n')

    with pytest.raises(Misconfigured, match=r"MAPPING_FILE: .*mine\.toml"):
        await found(changed(known, mapping_file=tmp_path / "mine.toml"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_database_that_is_away_is_one_line_and_the_rest_is_looked_at(known, tmp_path, kind):
    (tmp_path / "taken").mkdir()
    away = {
        "sqlite": f"sqlite+aiosqlite:///{tmp_path}/taken",
        "postgresql": f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/none",
    }[kind]

    findings = await found(changed(known, database_url=away))

    database = line(findings, "database")
    assert (database.state, "DATABASE_URL" in database.fix) == (CheckState.RED, True)
    assert line(findings, "salesforce token").state is CheckState.OK
    assert line(findings, "drchrono").fix == "fix the database first"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_a_server_that_need_not_prove_itself_is_told_with_what_to_do(clinic, known):
    here = clinic.runtime.database.url
    url = f"postgresql://postgres@127.0.0.1:{here.port},db.example.invalid/{here.database}?sslmode=disable"

    findings = await found(changed(known, database_url=url))

    database = line(findings, "database")
    assert (database.state, "sslmode=verify-full" in database.fix) == (CheckState.WARNING, True)
    assert line(findings, "encryption keys").state is CheckState.OK, "the rest is looked at"


async def test_a_database_in_a_folder_that_cannot_be_made_is_one_line_too(known, tmp_path):
    (tmp_path / "file").write_text("")

    findings = await found(changed(known, database_url=f"sqlite+aiosqlite:///{tmp_path}/file/in/it.db"))

    assert line(findings, "database").state is CheckState.RED


async def test_a_schema_that_is_behind_says_what_to_run(known, tmp_path):
    findings = await found(changed(known, database_url=f"sqlite+aiosqlite:///{tmp_path}/empty.db"))

    assert line(findings, "database").state is CheckState.RED
    assert "chronobridge migrate" in line(findings, "database").fix


async def test_a_database_that_loses_a_table_while_we_look_is_told_and_ends_the_looking(clinic, known):
    await clinic.runtime.database.transact(lambda connection: connection.execute(sa.text("DROP TABLE lane_calls")))

    findings = await found(known)

    assert findings[-1].says == "went away while we looked"


async def test_a_redis_that_is_away_is_red_and_one_that_is_not_used_is_right(clinic, known, valkey_url):
    away = await found(changed(known, redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    there = await found(changed(known, redis_url=valkey_url))
    unused = await found(known)

    assert (line(away, "redis").state, "REDIS_URL" in line(away, "redis").fix) == (CheckState.RED, True)
    assert (line(there, "redis").says, line(unused, "redis").state) == ("answers", CheckState.OK)


async def test_an_encryption_key_that_does_not_open_what_is_stored_is_told(clinic, known):
    findings = await found(changed(known, encryption_keys=Fernet.generate_key().decode()))

    assert line(findings, "encryption keys").state is CheckState.RED
    assert "at the end of ENCRYPTION_KEYS" in line(findings, "encryption keys").fix
    assert line(findings, "drchrono token").says == "cannot be read"


async def test_a_new_key_in_front_of_the_old_one_is_right(clinic, known):
    old = known.encryption_keys[0].get_secret_value()

    findings = await found(changed(known, encryption_keys=f"{Fernet.generate_key().decode()},{old}"))

    assert line(findings, "encryption keys").state is CheckState.OK


async def test_a_hash_key_that_made_a_base_and_is_gone_is_told(clinic, known):
    await clinic.arrives(await clinic.registers(first_name="Ada", last_name="Test"))

    other = await found(changed(known, hash_keys=Fernet.generate_key().decode()))
    ours = await found(known)

    assert (line(other, "hash keys").state, line(ours, "hash keys").state) == (CheckState.RED, CheckState.OK)
    assert "at the end of HASH_KEYS" in line(other, "hash keys").fix


async def answering(known, answer):
    """Give what the check says of a webhook address that answers so."""
    app = Starlette(routes=[Route("/webhooks/drchrono", answer)])
    with running(app) as url:
        return line(await found(changed(known, public_url=url)), "webhook")


async def test_a_webhook_nobody_answers_is_told(clinic, known):
    webhook = line(await found(changed(known, public_url=f"http://127.0.0.1:{free_port()}")), "webhook")

    assert (webhook.state, "ConnectError" in webhook.says) == (CheckState.RED, True)
    assert "PUBLIC_URL" in webhook.fix


@pytest.mark.parametrize("status", [404, 401, 302, 503])
async def test_a_webhook_that_answers_with_a_refusal_is_told_with_its_status(clinic, known, status):
    webhook = await answering(known, lambda _: Response(status_code=status))

    assert (webhook.state, f"answers {status}" in webhook.says) == (CheckState.RED, True)
    assert "proxy" in webhook.fix


@pytest.mark.parametrize(
    "body",
    [{"secret_token": "0" * 64}, {"secret_token": None}, {}, [], "text"],
    ids=["other", "null", "empty", "list", "text"],
)
async def test_a_webhook_that_knows_another_secret_is_told(clinic, known, body):
    webhook = await answering(known, lambda _: JSONResponse(body))

    assert (webhook.state, "another secret" in webhook.says) == (CheckState.RED, True)
    assert SECRET not in f"{webhook.says} {webhook.fix}"


async def test_while_the_webhooks_secret_is_rotated_the_first_one_counts(clinic, known):
    with served(known) as listening:
        new_in_front = f"a-new-webhook-secret-to-stand-in-front,{SECRET}"
        ours_is_newer = line(await found(changed(listening, drchrono_webhook_secrets=new_in_front)), "webhook")
        new_behind = f"{SECRET},an-old-webhook-secret-to-stand-behind"
        same_first = line(await found(changed(listening, drchrono_webhook_secrets=new_behind)), "webhook")

    assert (ours_is_newer.state, same_first.state) == (CheckState.RED, CheckState.WARNING)


async def test_the_last_delivery_is_shown_and_one_that_never_came_is_no_failure(clinic, known):
    before = line(await found(known), "last delivery: drchrono patient")
    await clinic.delivers(await clinic.registers(first_name="Ada", last_name="Test"))

    after = line(await found(known), "last delivery: drchrono patient")

    assert (before.state, before.says, after.state) == (CheckState.NOT_YET, "none yet", CheckState.OK)
    assert after.says.endswith("s ago")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_what_other_users_may_read_is_red_and_names_each_file_with_the_command(clinic, known, tmp_path):
    key, closed = tmp_path / "a key.pem", tmp_path / "closed"
    for path in (key, closed):
        path.write_text("secret")
    path = clinic.runtime.database.path
    log, index = (path.with_name(f"{path.name}-{end}") for end in ("wal", "shm"))
    for one, mode in ((key, 0o644), (closed, 0o640), (path, 0o600), (log, 0o604), (index, 0o600)):
        one.chmod(mode)

    async with open_runtime(known) as runtime:
        found = check_files(runtime, {"OPERATOR_TOKEN_FILE": closed, "SALESFORCE_PRIVATE_KEY_FILE": key})

    assert found.state is CheckState.RED
    assert found.says == f"other users may read or write SALESFORCE_PRIVATE_KEY_FILE, DATABASE_URL {path.name}-wal"
    assert found.fix == f"chmod o= '{key}' {path}-wal"


async def test_what_has_not_been_there_yet_is_no_success_and_no_failure(clinic, known):
    findings = await found(known)

    waits = {one.name for one in findings if one.state is CheckState.NOT_YET}
    assert waits == {
        "last delivery: drchrono appointment",
        "last delivery: drchrono patient",
        "last delivery: salesforce appointment",
        "last delivery: salesforce patient",
    }


async def test_settings_are_complete_only_where_both_systems_are_set_up(clinic, known):
    none = dict.fromkeys(("drchrono_client_id", "drchrono_client_secret"))
    findings = await found(changed(known, **none, drchrono_webhook_secrets=()))

    settings = line(findings, "settings")
    assert (settings.state, settings.says) == (
        CheckState.NOT_YET,
        "what is set has the right form; not set yet: those of DrChrono",
    )
    assert "webhook" not in {one.name for one in findings}, "there is nothing that could answer"
    assert "last delivery: drchrono patient" not in {one.name for one in findings}


async def test_a_name_that_is_almost_a_setting_is_a_warning(clinic, known):
    origin = SettingsOrigin(near_misses=lambda: ["OPERATR_TOKEN is not a setting: did you mean OPERATOR_TOKEN?"])
    async with open_runtime(known) as runtime:
        findings = [finding async for finding in check_everything(runtime, origin)]

    (warned,) = [one for one in findings if one.name == "settings" and one.state is CheckState.WARNING]
    assert (warned.says, warned.fix) == ("OPERATR_TOKEN is not a setting", "did you mean OPERATOR_TOKEN?")
