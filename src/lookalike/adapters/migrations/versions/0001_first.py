"""The first schema: products, embeddings, thumbnails, artifacts, readers and the change counter."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables. Written out, not taken from the code's tables: those move on, this revision never changes."""
    op.create_table(
        "products",
        sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("family", sa.Text),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("price", sa.Double),
        sa.Column("currency", sa.Text),
        sa.Column("brand", sa.Text),
        sa.Column("categories", sa.JSON, nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("images", sa.JSON, nullable=False),
        sa.Column("availability", sa.Boolean),
        sa.Column("popularity", sa.Double),
        sa.Column("rating", sa.Double),
        sa.Column("conversion_rate", sa.Double),
        sa.Column("added_us", sa.BigInteger),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("source_hash", sa.Text, nullable=False),
        sa.Column("embedded", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("content_seq", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
    )
    op.create_index("products_seq", "products", ["seq"], unique=True)
    op.create_table(
        "embeddings",
        sa.Column("key", sa.Integer, sa.ForeignKey("products.key"), primary_key=True, autoincrement=False),
        sa.Column("space", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("content_hash", sa.Text, primary_key=True),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
    for name, column in (("thumbnails", "content_hash"), ("artifacts", "name")):
        op.create_table(
            name,
            sa.Column(column, sa.Text, primary_key=True),
            sa.Column("data", sa.LargeBinary, nullable=False),
        )
    op.create_table(
        "readers",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
    counter = op.create_table(
        "counter",
        sa.Column("head", sa.BigInteger, nullable=False),
        sa.Column("products", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counter, [{"head": 0, "products": 0}])
