import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.errors import StoreUnavailable
from app.store import backfills, tables
from app.store.database import Database
from app.store.migrate import _config, migrate
from app.store.schema import is_behind, known_revisions
from app.store.tables import naming
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Kind, Side
from tests.store.build import (
    HOUR,
    PAIR,
    a_delivery,
    came_in,
    change,
    connected,
    on_postgresql,
    on_sqlite,
    rows,
    save,
    the_link,
    waits_for_a_lock,
)


async def an_empty_database(database):
    """Empty the database, the record of its migrations included."""

    async def drop(connection):
        await connection.run_sync(tables.metadata.drop_all)
        await connection.execute(sa.text("DROP TABLE alembic_version"))

    await database.transact(drop)


async def at_revision(database, revision):
    await change(database, sa.text("UPDATE alembic_version SET version_num = :revision").bindparams(revision=revision))


def test_the_files_name_their_revisions_the_newest_last():
    script = ScriptDirectory.from_config(_config())

    assert [one.revision for one in script.walk_revisions()] == [*reversed(known_revisions())]


async def test_a_migrated_database_is_not_behind(database):
    assert await is_behind(database) is False


async def test_migrating_twice_changes_nothing_and_keeps_what_is_there(database):
    await came_in(database, a_delivery("1"))

    await migrate(database)

    assert len(await rows(database, tables.deliveries)) == 1
    assert await is_behind(database) is False


async def test_an_empty_database_is_behind_until_it_is_migrated(database):
    await an_empty_database(database)

    before = await is_behind(database)
    await migrate(database)

    assert before is True
    assert await is_behind(database) is False


async def test_a_database_whose_migration_was_never_recorded_is_behind(database):
    await change(database, sa.text("DELETE FROM alembic_version"))

    assert await is_behind(database) is True


async def test_a_revision_never_heard_of_is_newer_and_fine(database):
    await at_revision(database, "9999")

    assert await is_behind(database) is False


async def test_migrating_a_newer_database_leaves_it_alone(database):
    await at_revision(database, "9999")

    await migrate(database)

    assert (await database.read(sa.text("SELECT version_num FROM alembic_version")))[0].version_num == "9999"


async def at_first_migration(database, vault):
    """Bring the database to how the first migration left it, with a connection, a delivery and a lane in it."""
    ours = VendorTokens(database, vault, Side.DRCHRONO)
    await save(ours)
    await ours.refuse(await ours.lease(HOUR), "invalid_grant")
    await came_in(database, a_delivery("1"))
    added = ("expires_at", "asked_at", "ask_again_at", "practice", "pending", "pending_at")

    async def back(connection):
        for column in added:
            await connection.execute(sa.text(f"ALTER TABLE connections DROP COLUMN {column}"))
        await connection.execute(sa.text("DROP INDEX ix_failures_is_held"))
        for column in ("shown", "conflicts", "dismissed_at", "dismissed_by", "reason"):
            await connection.execute(sa.text(f"ALTER TABLE failures DROP COLUMN {column}"))
        await connection.execute(sa.text("ALTER TABLE links DROP COLUMN unsettled"))
        await connection.execute(sa.text("ALTER TABLE workers DROP COLUMN failing"))
        for index in (
            "ix_deliveries_body",
            "ix_deliveries_listed",
            "ix_journal_values",
            "ix_journal_late",
            "ix_events_record",
            "ix_links_kind",
            "ix_failures_since",
            "ix_failures_message",
        ):
            await connection.execute(sa.text(f"DROP INDEX {index}"))
        await connection.execute(sa.text("DROP INDEX ix_links_excluded"))
        await connection.execute(sa.text("ALTER TABLE links DROP COLUMN excluded_by"))
        await connection.execute(sa.text("DROP INDEX ix_links_status_due_at"))
        await connection.execute(sa.text("ALTER TABLE events DROP COLUMN request"))
        for name in ("status", "status_due_at"):
            await connection.execute(sa.text(f"ALTER TABLE links DROP COLUMN {name}"))
        await connection.execute(sa.text("DROP INDEX ix_links_person"))
        await connection.execute(sa.text("DROP INDEX ix_links_series"))
        await connection.execute(sa.text("DROP INDEX ix_links_lane_due"))
        await connection.execute(sa.text("DROP INDEX ix_links_due_at"))
        await connection.execute(sa.text("CREATE INDEX ix_links_due ON links (kind, due_at)"))
        await connection.execute(sa.text("ALTER TABLE links DROP COLUMN listed_in"))
        await connection.execute(sa.text("ALTER TABLE links DROP COLUMN series"))
        await connection.execute(sa.text("ALTER TABLE links DROP COLUMN person"))
        for column in ("why", "sent", "record_id", "searched_at", "job", "late_until", "content_stamp"):
            await connection.execute(sa.text(f"ALTER TABLE journal DROP COLUMN {column}"))
        for name in ("since", "attempts", "message", "note"):
            await connection.execute(sa.text(f"ALTER TABLE failures DROP COLUMN {name}"))
        for table in (
            "record_history",
            "consents",
            "sessions",
            "awaited",
            "zones",
            "schedules",
            "watermarks",
            "tallies",
            "lane_calls",
            "promises",
            "allowances",
            "scans",
            "pointed",
            "feeds",
            "darkness",
            "conflicts",
            "decisions",
            "identities",
            "matches",
            "audit",
            "audit_head",
            "org_descriptions",
            "backfills",
            "activity",
            "notices",
            "notice_conditions",
            "documents",
            "document_polls",
        ):
            await connection.execute(sa.text(f"DROP TABLE {table}"))

    await database.transact(back)
    await at_revision(database, "0001")


async def test_a_database_of_the_first_migration_is_behind_until_it_is_migrated(database, vault):
    await at_first_migration(database, vault)

    before = await is_behind(database)
    await migrate(database)

    assert before is True
    assert await is_behind(database) is False


async def test_migrating_from_the_first_migration_makes_what_the_code_needs(database, vault):
    await at_first_migration(database, vault)

    await migrate(database)

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrating_from_the_first_migration_keeps_what_was_there(database, vault):
    await at_first_migration(database, vault)

    await migrate(database)

    stored = await VendorTokens(database, vault, Side.DRCHRONO).read()
    assert (stored.token, stored.version, stored.refused_code) == (PAIR, 1, "invalid_grant")
    assert (stored.is_expired, stored.is_cut_off, stored.ask_again_in_s, stored.practice) == (False, False, 0.0, None)
    assert len(await rows(database, tables.deliveries)) == 1
    assert (await the_link(database)).due_at is not None


@pytest.mark.parametrize(("salesforce_id", "is_loaded"), [("003A", True), (None, False)])
async def test_what_was_linked_before_backfills_were_kept_counts_as_loaded(database, vault, salesforce_id, is_loaded):
    await at_first_migration(database, vault)
    linked = "INSERT INTO links (id, kind, drchrono_id, salesforce_id) VALUES ('01JLINK', 'patient', '9', :other)"
    await change(database, sa.text(linked).bindparams(other=salesforce_id))

    await migrate(database)

    found = await backfills.read(database)
    before = {*Kind} - {Kind.DOCUMENT}  # which came later
    assert {kind for kind, one in found.items() if one.is_loaded} == (before if is_loaded else set())


async def test_a_connection_of_the_first_migration_can_be_refreshed_once_it_is_migrated(database, vault):
    await at_first_migration(database, vault)
    await migrate(database)

    stored = await save(VendorTokens(database, vault, Side.DRCHRONO), {"access_token": "next"})

    assert (stored.token, stored.version, stored.refused_code) == ({"access_token": "next"}, 2, None)


def differences(connection):
    return compare_metadata(MigrationContext.configure(connection), naming.for_migrations())


async def test_the_migrations_make_exactly_the_tables_of_the_code(database):
    async with database.engine.connect() as connection:
        found = await connection.run_sync(differences)

    assert found == []


async def test_a_migration_that_fails_leaves_nothing_half_made(database):
    await an_empty_database(database)
    await change(database, sa.text("CREATE TABLE workers (id INTEGER)"))  # the last table of the first migration

    with pytest.raises(StoreUnavailable):
        await migrate(database)

    names = await _table_names(database)
    assert names == {"workers"}


@on_sqlite
async def test_a_file_that_is_not_there_is_behind_and_is_not_made_by_asking(database, tmp_path):
    path = tmp_path / "elsewhere" / "new.db"
    async with Database(f"sqlite+aiosqlite:///{path}").opened() as absent:
        assert await is_behind(absent) is True

    assert not path.exists()


@on_sqlite
async def test_a_first_migration_makes_file_and_folder(database, tmp_path):
    path = tmp_path / "elsewhere" / "new.db"
    async with Database(f"sqlite+aiosqlite:///{path}").opened() as fresh:
        await migrate(fresh)

        assert await is_behind(fresh) is False

    assert path.exists()


@on_sqlite
async def test_a_file_that_is_no_database_is_unavailable(database, tmp_path):
    path = tmp_path / "other.db"
    path.write_bytes(b"no database at all" * 100)

    async with Database(f"sqlite+aiosqlite:///{path}").opened() as other:
        with pytest.raises(StoreUnavailable):
            await is_behind(other)


@on_postgresql
async def test_a_server_that_is_not_there_is_unavailable_not_behind(database):
    url = database.url.set(port=1).render_as_string(hide_password=False)

    async with Database(url).opened() as away:
        with pytest.raises(StoreUnavailable):
            await is_behind(away)


@on_postgresql
async def test_a_code_without_rights_sees_a_failure_not_a_schema_behind(database):
    connection = await connected(database)
    role = f"reader_{database.url.database}"[:60]
    await connection.execute(f'CREATE ROLE "{role}" LOGIN')
    await connection.close()
    url = database.url.set(username=role).render_as_string(hide_password=False)

    async with Database(url).opened() as poor:
        assert await is_behind(poor) is True  # it cannot read the record of migrations, so `migrate` is what it is told


async def _table_names(database):
    async with database.engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names()))


@asynccontextmanager
async def held(database, *statements):
    """Somebody's transaction has done these and stays open; gives the connection, and ends with the block."""
    connection = await connected(database)
    async with connection.transaction():
        for statement in statements:
            await connection.execute(statement)
        yield connection
    await connection.close()


class Told(asyncio.Event):
    """Hears what a migration waits for."""

    def __call__(self, said):
        self.said = said
        self.set()


A_DELIVERY = {
    "id": "01",
    "side": "drchrono",
    "event": "PATIENT_MODIFY",
    "delivery_key": "1",
    "outcome": "kept",
    "received_at": datetime(2026, 11, 1, tzinfo=UTC),
}


async def at_migration(database, revision):
    """Bring the database to how an older version left it."""
    await an_empty_database(database)
    async with database.patient(1) as connection:
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), revision))


@on_postgresql
async def test_a_migration_waits_for_another_for_longer_than_a_statement_may_take(database):
    await at_migration(database, "0011")
    told, url = Told(), f"{database.url.render_as_string(hide_password=False)}?command_timeout=0.1"
    async with Database(url).opened() as hurried:
        async with held(database, f"SELECT pg_advisory_xact_lock({0x6368726F6E6F})") as other:
            migrating = asyncio.create_task(migrate(hurried, told))
            await told.wait()
            await other.execute("SELECT pg_sleep(0.3)")
            assert not migrating.done()
        await migrating

    assert "another migration" in told.said
    assert await is_behind(database) is False


@on_postgresql
async def test_a_migration_that_needs_a_table_lets_deliveries_through_while_it_waits(database):
    await at_migration(database, "0011")
    told = Told()
    async with held(database, "LOCK TABLE calls IN ACCESS SHARE MODE"):
        migrating = asyncio.create_task(migrate(database, told, lock_timeout_s=0.05))
        await told.wait()
        await change(database, sa.insert(tables.deliveries).values(**A_DELIVERY))  # as the older version keeps one
        assert not migrating.done()
    await migrating

    assert "in use" in told.said
    assert await is_behind(database) is False
    assert len(await rows(database, tables.deliveries)) == 1


@on_postgresql
async def test_an_index_that_was_cut_off_while_it_was_built_is_built_again(database):
    await at_migration(database, "0009")
    await change(database, sa.text("CREATE INDEX ix_links_kind ON links (kind, id)"))
    await change(
        database, sa.text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_links_kind'::regclass")
    )

    await migrate(database)

    invalid = await database.read(sa.text("SELECT 1 FROM pg_index WHERE NOT indisvalid"))
    assert invalid == []
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


@on_postgresql
async def test_an_index_waits_for_older_transactions_whatever_limit_the_database_has_for_a_statement(database):
    await at_migration(database, "0009")
    await change(database, sa.text(f'ALTER DATABASE "{database.url.database}" SET statement_timeout = 200'))
    async with held(database, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT 1") as other:
        migrating = asyncio.create_task(migrate(database))
        await waits_for_a_lock(database)
        await other.execute("SET LOCAL statement_timeout = 0; SELECT pg_sleep(0.4)")
        assert not migrating.done()
    await migrating

    assert await is_behind(database) is False
