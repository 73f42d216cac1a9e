"""Run by Alembic for each upgrade; `catalog_sql_schema.upgrade` hands over the connection and owns the transaction."""

from alembic import context

from lookalike.adapters.catalog_sql_schema import metadata, version

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=version.name,
    render_as_batch=True,  # SQLite changes a column only by copying its table
)
context.run_migrations()
