"""How Alembic runs a migration here: on the connection, in the transaction, of who opens."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
