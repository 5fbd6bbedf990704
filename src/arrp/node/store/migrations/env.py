"""Alembic's entry: always on the connection the node has open, never on a URL of its own."""

from __future__ import annotations

from alembic import context

from arrp.node.store.tables import schema

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=schema, render_as_batch=connection.dialect.name == "sqlite")
with context.begin_transaction():
    context.run_migrations()
