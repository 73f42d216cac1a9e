"""Searches and what became of them: the tables searches and events."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables. Written out, not taken from the code's tables: those move on, this revision never changes."""
    op.create_table(
        "searches",
        sa.Column("query_id", sa.Text, primary_key=True),
        sa.Column("timestamp_us", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text),
        sa.Column("user_query", sa.Text, nullable=False),
        sa.Column("phrase", sa.Text, nullable=False),
        sa.Column("filter", sa.Text),
        sa.Column("query_response_hit_ids", sa.JSON, nullable=False),
        sa.Column("query_attributes", sa.JSON, nullable=False),
        sa.Column("hits", sa.Integer, nullable=False),
        sa.Column("took_ms", sa.Double, nullable=False),
        sa.Column("diversity", sa.Double),
        sa.Column("continued", sa.Boolean, nullable=False),
    )
    op.create_index("searches_timestamp", "searches", ["timestamp_us"])
    op.create_table(
        "events",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("timestamp_us", sa.BigInteger, nullable=False),
        sa.Column("action_name", sa.Text, nullable=False),
        sa.Column("query_id", sa.Text),
        sa.Column("client_id", sa.Text),
        sa.Column("session_id", sa.Text),
        sa.Column("object_id", sa.Text),
        sa.Column("ordinal", sa.Integer),
    )
    op.create_index("events_timestamp", "events", ["timestamp_us"])
    op.create_index("events_query", "events", ["query_id"])
