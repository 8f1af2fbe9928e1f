"""Alembic's entrance; the connection is given by app/store/schema.py, so no address is configured here."""

from alembic import context

config = context.config
context.configure(
    connection=config.attributes["connection"],
    target_metadata=config.attributes["metadata"],
    transaction_per_migration=False,
)
context.run_migrations()
