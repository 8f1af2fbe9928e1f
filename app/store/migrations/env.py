"""Alembic's entrance; the connection is given by app/store/migrate.py, so no address is configured here."""

from alembic import context

config = context.config
connection = config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=config.attributes["metadata"],
    transaction_per_migration=connection.dialect.name == "postgresql",  # SQLite's are all in one
)
with context.begin_transaction():
    context.run_migrations()
