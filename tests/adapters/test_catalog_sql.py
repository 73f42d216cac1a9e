"""The SQL catalogue where the databases show: schema versions, files that are none, full disks, locks, kills, servers."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event

from lookalike.adapters import catalog_sql_schema as schema
from lookalike.adapters.catalog_sql import SqlCatalog
from lookalike.adapters.catalog_sql_engine import open_engine, parse
from lookalike.core.errors import CatalogError, MissingExtra
from lookalike.core.types import TITLE, Embedding, Product, Record, Thumbnail, content_hash

HOW_TO_MAKE = "lookalike index SOURCE --shop"
NOTE_REVISION = '''
"""A third version, as some later release might bring it."""
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("readers") as readers:
        readers.add_column(sa.Column("note", sa.Text, nullable=False, server_default="none"))
'''


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where a catalogue can be made: a path, or the URL of an empty PostgreSQL database."""
    if request.param == "sqlite":
        return str(tmp_path / "shop.db")
    url: str = request.getfixturevalue("postgres_url")
    return url


@contextmanager
def opened(place: str | Path, **options: object) -> Iterator[SqlCatalog]:
    catalog = SqlCatalog.open(place, **options)  # type: ignore[arg-type]
    try:
        yield catalog
    finally:
        catalog.close()


@contextmanager
def connected(place: str | Path) -> Iterator[sa.Connection]:
    """Yield a connection inside a transaction, beside the catalogue."""
    engine = open_engine(place, create=True, busy_timeout_s=5)
    try:
        with schema.transaction(engine) as connection:
            yield connection
    finally:
        engine.dispose()


def run_sql(place: str | Path, *statements: str) -> None:
    with connected(place) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def shirt(name: str, thumbnail_bytes: int = 10) -> Record:
    made = Embedding(TITLE, "words", content_hash(name), np.ones(4, np.float32) / 2)
    return Record(
        Product(name, title=name), embeddings=(made,), thumbnails=(Thumbnail(name, b"x" * thumbnail_bytes),)
    )


def refused(place: str | Path, **options: object) -> CatalogError:
    """Return the error that opening gives; it must carry advice and no password."""
    with pytest.raises(CatalogError) as caught:
        SqlCatalog.open(place, **options)  # type: ignore[arg-type]
    assert caught.value.hint and "secret" not in f"{caught.value} {caught.value.hint}"
    return caught.value


# Schema versions


def test_the_migrations_lead_step_by_step_to_the_tables_of_the_code(place: str) -> None:
    for revision in schema.REVISIONS:
        with connected(place) as connection:
            schema.upgrade(connection, revision, migrations=schema.MIGRATIONS)
            assert schema.found_version(connection) == revision
    with connected(place) as connection:
        options = {"version_table": schema.version.name, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []
    with opened(place, create=False) as catalog:
        catalog.write([shirt("a")])
        assert catalog.count() == 1


def test_the_code_knows_every_migration_there_is() -> None:
    script = ScriptDirectory(str(schema.MIGRATIONS))
    assert tuple(step.revision for step in script.walk_revisions())[::-1] == schema.REVISIONS


def test_an_older_catalogue_is_migrated_when_it_is_opened(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(place) as catalog:
        catalog.write([shirt("a")])
        catalog.set_position("index", 1)
    later = tmp_path / "later release 100%"
    shutil.copytree(schema.MIGRATIONS, later)
    (later / "versions" / "0003_note.py").write_text(NOTE_REVISION)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", later)
        patch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "0003"))
        with opened(place, create=False) as catalog:
            assert catalog.position("index") == 1 and catalog.count() == 1
    with connected(place) as connection:
        assert connection.exec_driver_sql("SELECT note FROM readers").scalar() == "none"
    error = refused(place)  # back to the release that does not know it
    assert error.code == "catalog.newer" and "0003" in str(error) and "upgrade" in error.hint


def test_a_migration_that_fails_leaves_the_catalogue_as_it_was(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(place) as catalog:
        catalog.set_position("index", 1)
    later = tmp_path / "later"
    shutil.copytree(schema.MIGRATIONS, later)
    broken = NOTE_REVISION + '\n    op.execute("SELECT nonsense FROM nowhere")\n'
    (later / "versions" / "0003_note.py").write_text(broken)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", later)
        patch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "0003"))
        assert "nowhere" in str(refused(place))
    with opened(place, create=False) as catalog:
        assert catalog.position("index") == 1
    with connected(place) as connection:
        assert [c["name"] for c in sa.inspect(connection).get_columns("readers")] == ["name", "seq"]


def test_opening_what_is_up_to_date_does_not_load_alembic(tmp_path: Path) -> None:
    with opened(tmp_path / "shop.db"):
        pass
    code = (
        "import sys; from lookalike.adapters.catalog_sql import SqlCatalog;"
        "print(SqlCatalog.open(sys.argv[1]).count(), 'alembic' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "shop.db"], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["0", "False"]


def test_several_may_open_an_empty_place_at_once(place: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        catalogs = list(pool.map(SqlCatalog.open, [place] * 4))
    for n, catalog in enumerate(catalogs, 1):
        catalog.write([shirt(f"p{n}")])
        assert catalog.sequence() == n
        catalog.close()


# Where there is no catalogue


def test_without_create_a_missing_catalogue_is_an_error_that_says_how_to_make_one(place: str) -> None:
    error = refused(place, create=False)
    assert error.code == "catalog.missing" and HOW_TO_MAKE in error.hint
    assert place.startswith("postgresql") or not Path(place).exists()


def test_an_empty_file_is_no_catalogue_but_may_become_one(tmp_path: Path) -> None:
    empty = tmp_path / "shop.db"
    empty.touch()
    assert refused(empty, create=False).code == "catalog.missing"
    with opened(empty) as catalog:
        assert catalog.count() == 0


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    wrong = tmp_path / "shop.csv"
    wrong.write_text("id,title\n" * 1000)
    for create in (True, False):
        error = refused(wrong, create=create)
        assert (
            error.code == "catalog.not_a_database" and str(wrong) in str(error) and HOW_TO_MAKE in error.hint
        )
    assert wrong.read_text() == "id,title\n" * 1000


def test_a_database_of_somebody_else_is_left_alone(place: str) -> None:
    run_sql(place, "CREATE TABLE products (sku TEXT)")
    error = refused(place)
    assert error.code == "catalog.not_a_catalog" and "products" in str(error)
    with connected(place) as connection:
        assert sa.inspect(connection).get_table_names() == ["products"]


def test_a_path_below_a_file_and_a_path_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(tmp_path / "file" / "shop.db").code == "catalog.no_folder"
    error = refused(tmp_path / "typo" / "deeper" / "shop.db")
    assert error.code == "catalog.no_folder" and error.hint == "Make it first, or check the path."
    assert not (tmp_path / "typo").exists()
    assert refused(tmp_path).code == "catalog.unreachable"


def test_paths_and_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for given in ("shop 1.db", Path("shop 1.db"), "sqlite:///shop 1.db", f"sqlite:///{tmp_path}/shop 1.db"):
        assert parse(given).database == str(tmp_path / "shop 1.db")
    for given in ("postgres://h/d", "postgresql://h/d", "postgresql+psycopg2://h/d"):
        assert parse(given).render_as_string() == "postgresql+psycopg://h/d"
    for wrong in ("mysql://me:secret@h/d", "sqlite://", "postgresql://me:secret@h:port/d"):
        assert refused(wrong).hint


def test_without_psycopg_the_error_ends_in_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra) as caught:
        SqlCatalog.open("postgresql://localhost/shop")
    assert caught.value.hint.endswith('pip install "lookalike[postgres]"')


# Where the database fails


@contextmanager
def unprivileged() -> Iterator[None]:
    """Give up root for a while: root may write anywhere."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_a_folder_that_may_not_be_written_to() -> None:
    with tempfile.TemporaryDirectory() as name:  # not tmp_path: only its owner may enter that
        folder = Path(name)
        with opened(folder / "shop.db") as catalog:
            catalog.write([shirt("a")])
        (folder / "shop.db").chmod(0o444)
        folder.chmod(0o555)
        with unprivileged():
            for path in (folder / "new.db", folder / "shop.db"):
                assert refused(path).code in ("catalog.unreachable", "catalog.readonly")
        folder.chmod(0o755)


def test_a_full_disk_costs_the_write_and_nothing_else(tmp_path: Path) -> None:
    def cap(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 40")

    with opened(tmp_path / "shop.db") as catalog:
        catalog.write([shirt("before")])
        event.listen(catalog._engine, "connect", cap)
        catalog._engine.dispose()  # from now on every connection has the limit
        with pytest.raises(CatalogError, match="no room left") as caught:
            catalog.write([shirt("small"), shirt("large", thumbnail_bytes=1_000_000)])
        assert caught.value.code == "catalog.full" and "disk" in caught.value.hint
        assert [change.id for change in catalog.changes(0)] == ["before"]
        assert (catalog.sequence(), catalog.count(), catalog.thumbnail("small")) == (1, 1, None)
        catalog.write([shirt("after")])
        assert catalog.sequence() == 2
        assert catalog.keys(["after"]) == {"after": 1}


def test_a_write_that_fails_at_its_last_statement_leaves_nothing(place: str) -> None:
    with opened(place) as catalog:
        run_sql(place, "DROP TABLE thumbnails")
        with pytest.raises(CatalogError, match="thumbnails"):
            catalog.write([shirt("a"), shirt("b")])
        assert (catalog.sequence(), catalog.count(), catalog.changes(0)) == (0, 0, [])
        catalog.write([Record(Product("c"))])
        assert catalog.sequence() == 1 and catalog.keys(["c"]) == {"c": 0}


def test_a_locked_database_can_be_read_but_not_written(tmp_path: Path) -> None:
    place = tmp_path / "shop.db"
    with opened(place, busy_timeout_s=0.05) as catalog:
        catalog.write([shirt("a")])
        with connected(place) as other:
            other.exec_driver_sql("UPDATE products SET title = 'unseen'")
            assert catalog.get_many([0])[0].title == "a"
            with pytest.raises(CatalogError) as caught:
                catalog.write([shirt("b")])
            assert caught.value.code == "catalog.locked" and caught.value.hint
        assert catalog.get_many([0])[0].title == "unseen"
        catalog.write([shirt("b")])
        assert catalog.sequence() == 2


def test_a_damaged_file(tmp_path: Path) -> None:
    place = tmp_path / "shop.db"
    with opened(place) as catalog:
        catalog.write([shirt(f"p{n}", thumbnail_bytes=1000) for n in range(300)])
    with place.open("r+b") as file:
        file.seek(8192)
        file.write(b"\x5a" * (place.stat().st_size - 8192))
    assert refused(place).code == "catalog.damaged"


WRITER = """
import sys
import numpy as np
from lookalike.adapters.catalog_sql import SqlCatalog
from lookalike.core.types import TITLE, Embedding, Product, Record, content_hash

catalog = SqlCatalog.open(sys.argv[1])
for batch in range(100_000):
    names = [f"{sys.argv[2]}-{batch}-{n}" for n in range(20)]
    made = [Embedding(TITLE, "words", content_hash(name), np.ones(64, np.float32)) for name in names]
    catalog.write([Record(Product(a, title=a), embeddings=(b,)) for a, b in zip(names, made)])
    print(batch, flush=True)
"""


def test_a_killed_writer_leaves_whole_batches_only(tmp_path: Path) -> None:
    place = tmp_path / "shop.db"
    acknowledged = 0
    for run, lines in (("one", 3), ("two", 17), ("three", 40)):
        command = [sys.executable, "-c", WRITER, place, run]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout
            for _ in range(lines):
                assert writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
            acknowledged += lines + len(writer.stdout.readlines())
    with opened(place, create=False) as catalog:
        changes = catalog.changes(0, limit=1_000_000)
        batches: dict[str, list[int]] = {}
        for change in changes:
            batches.setdefault(change.id.rpartition("-")[0], []).append(change.key)
        assert {len(keys) for keys in batches.values()} == {20}
        assert acknowledged <= len(batches) <= acknowledged + 3, (
            "a written batch is there, at most one more a run"
        )
        assert catalog.count() == catalog.sequence() == len(changes)
        assert all(after.key == before.key + 1 for before, after in pairwise(changes))
        keys = np.array([change.key for change in changes])
        assert catalog.embeddings(keys, {TITLE: "words"})[TITLE][0].tolist() == keys.tolist()


# PostgreSQL


def test_a_server_that_is_not_there_or_lets_nobody_in(postgres_url: str) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    error = refused("postgresql://me:secret@127.0.0.1:1/shop?connect_timeout=2&options=secret")
    assert error.code == "catalog.unreachable" and "postgresql://me:***@127.0.0.1:1/shop" in str(error)
    url = sa.make_url(postgres_url)
    nowhere = url.set(database="nowhere").render_as_string(hide_password=False)
    assert refused(nowhere).code == "catalog.missing"
    stranger = url.set(username="stranger", password="secret").render_as_string(hide_password=False)
    assert refused(stranger).code == "catalog.refused"


def test_a_dropped_connection_costs_nobody_an_error(postgres_url: str) -> None:
    with opened(postgres_url) as catalog:
        catalog.write([shirt("a")])
        run_sql(
            postgres_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert catalog.count() == 1
        catalog.write([shirt("b")])
        assert catalog.sequence() == 2


def test_a_read_only_server(postgres_url: str) -> None:
    with opened(postgres_url) as catalog:
        catalog.write([shirt("a")])
    name = sa.make_url(postgres_url).database
    run_sql(postgres_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with opened(postgres_url, create=False) as catalog:
        assert catalog.count() == 1
        with pytest.raises(CatalogError) as caught:
            catalog.write([shirt("b")])
        assert caught.value.code == "catalog.readonly"
