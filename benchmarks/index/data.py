"""Seeded data sets of any size, written in chunks.

    features of real photos -> principal components -> unit rows                     the real rows
    real row + t (a near neighbour - it) + residual noise -> unit rows               as many more as wanted

What makes a catalogue hard or easy for an index is kept: clusters of unequal size (rows are drawn with log-normal weights),
near duplicates (3 % lie at a twentieth of the way to a neighbour), exact duplicates (2 %, a few of them many times), a
low local dimension (noise has the spectrum of the real differences between neighbours, not a ball's). Chunk c depends on the
seed and c alone, so a smaller set is the beginning of a larger one (but for its last chunk).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import faiss
import numpy as np
from numpy.lib import format as npy
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from benchmarks.index import features
from benchmarks.index.dataset import CHUNK, Dataset, Rows, unit

HALF_ABOVE = 2_000_000
"""Rows above which a set is stored in half precision: 10 million x 512 are then 10 GB instead of 20."""
NEIGHBOURS, NEAR_DUPLICATES, DUPLICATES = 12, 0.03, 0.02
TUNING, TIMED = 400, 1000
REGIONS = 512
VERSION = 1
"""Raise it when the same arguments come to give other rows."""

Make = Callable[[Generator, int, int], Rows]
"""(random numbers, first id, how many) -> unit rows [n, dim]."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where rows come from: a maker of base rows, and queries held out of the base, float32 [TUNING + TIMED, dim]."""

    make: Make
    queries: dict[str, Rows]


def dataset(count: int, dim: int = 512, *, data: Path, source: str = "auto", seed: int = 0) -> Dataset:
    """Return a data set, made first if it is not there.

    `source` is mobilenet, builtin, synthetic, or auto: mobilenet where the photos are, else synthetic. Raises ValueError
    when a source cannot be had.
    """
    source = chosen(source)
    folder = data / "sets" / f"{source}-{count}x{dim}-s{seed}-v{VERSION}"
    if not (folder / "meta.json").exists():
        _write(folder, count, _origin(source, dim, data, seed), seed)
    return Dataset.open(folder)


def chosen(source: str) -> str:
    """Return which source "auto" means here; raise ValueError when a named one is not available."""
    if source in ("synthetic", "auto"):
        return "mobilenet" if source == "auto" and not features.available("mobilenet") else "synthetic"
    if source not in ("mobilenet", "builtin"):
        raise ValueError(f"no source {source!r}: there are mobilenet, builtin, synthetic and auto")
    if why := features.available(source):
        raise ValueError(f"{source}: {why}")
    return source


def _origin(source: str, dim: int, data: Path, seed: int) -> Origin:
    if source == "synthetic":
        return synthetic(dim, seed)
    found = features.load(source, data / "features")
    return densified(found.pictures, found.phrases, dim, seed)


def _write(folder: Path, count: int, origin: Origin, seed: int) -> None:
    """Write base.npy and regions.npy chunk by chunk, the queries, and last meta.json, which says that all is there."""
    started = perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    dim = origin.queries["in"].shape[1]
    dtype = np.dtype(np.float16 if count > HALF_ABOVE else np.float32)
    regions, centres = np.empty(count, np.uint16), np.empty(0)
    with (folder / "base.npy").open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": dtype.str, "fortran_order": False, "shape": (count, dim)})
        for start, rows in _chunks(origin.make, count, seed):
            file.write(rows.astype(dtype).tobytes())
            if not start:
                picks = default_rng([seed, 5]).choice(len(rows), min(REGIONS, len(rows)), replace=False)
                centres = rows[picks]
            regions[start : start + len(rows)] = np.argmax(rows @ centres.T, axis=1)
    np.save(folder / "regions.npy", regions)
    np.save(folder / "centres.npy", centres)
    for kind, queries in origin.queries.items():
        np.save(folder / f"queries-{kind}.npy", queries)
    facts = {
        "count": count,
        "dim": dim,
        "dtype": dtype.name,
        "seed": seed,
        "tuning": TUNING,
        "made_s": round(perf_counter() - started, 1),
    }
    (folder / "meta.json").write_text(json.dumps(facts))


def _chunks(make: Make, count: int, seed: int) -> Iterator[tuple[int, Rows]]:
    for start in range(0, count, CHUNK):
        length = min(CHUNK, count - start)
        rng = default_rng([seed, 1, start])
        rows = make(rng, start, length)
        _duplicate(rng, rows)
        yield start, rows


def _duplicate(rng: Generator, rows: Rows) -> None:
    """Make DUPLICATES of the rows exact copies of others; the cube makes a few of those far more popular than the rest."""
    order = rng.permutation(len(rows))
    copies, originals = np.split(order, [round(DUPLICATES * len(rows))])
    rows[copies] = rows[originals[(len(originals) * rng.random(len(copies)) ** 3).astype(int)]]


def densified(pictures: Rows, phrases: Rows | None, dim: int, seed: int) -> Origin:
    """Return the origin that fills the space between real pictures; real phrases are the cross-modal queries if given."""
    components = _Components.of(pictures, dim)
    rng = default_rng([seed, 0])
    real = components(pictures)[rng.permutation(len(pictures))]
    held, base = real[: TUNING + TIMED], real[TUNING + TIMED :]
    if phrases is None:
        cross = from_another_modality(rng, held)
    else:
        cross = components(
            phrases[rng.choice(len(phrases), TUNING + TIMED, replace=len(phrases) < TUNING + TIMED)]
        )
    return Origin(_Between.of(base, rng), {"in": held, "cross": cross})


@dataclass(frozen=True, slots=True, eq=False)
class _Components:
    """Centred, on the first principal components, of unit length; features that already have the length stay as they are."""

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Rows, dim: int) -> _Components:
        width = rows.shape[1]
        if dim > width:
            raise ValueError(f"these features have {width} numbers, fewer than {dim}: give a smaller --dim")
        if dim == width:
            return cls(np.zeros(width, np.float32), np.eye(width, dtype=np.float32))
        mean = rows.mean(axis=0)
        _, vectors = np.linalg.eigh(np.cov(rows - mean, rowvar=False))
        return cls(mean, np.ascontiguousarray(vectors[:, ::-1][:, :dim], np.float32))

    def __call__(self, rows: Rows) -> Rows:
        return unit((rows - self.mean) @ self.axes)


@dataclass(frozen=True, slots=True, eq=False)
class _Between:
    """Makes rows: first the real ones themselves, then ones between a real row and one of its neighbours."""

    real: Rows
    neighbours: NDArray[np.int64]
    spectrum: NDArray[np.float32]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, real: Rows, rng: Generator) -> _Between:
        flat = faiss.IndexFlatIP(real.shape[1])
        flat.add(real)
        neighbours = flat.search(real, NEIGHBOURS + 1)[1][:, 1:]
        differences = real[neighbours[:, -1]] - real
        spectrum = differences.std(axis=0)
        weights = rng.lognormal(0, 1, len(real))
        return cls(real, neighbours, spectrum / np.linalg.norm(spectrum), weights / weights.sum())

    def __call__(self, rng: Generator, start: int, count: int) -> Rows:
        own = self.real[start : start + count]
        made = count - len(own)
        at = rng.choice(len(self.real), made, p=self.weights)
        other = self.real[self.neighbours[at, rng.integers(NEIGHBOURS, size=made)]]
        step = other - self.real[at]
        gap = np.maximum(np.linalg.norm(step, axis=1), 0.05)
        along = rng.random(made, np.float32)
        aside = (gap * rng.lognormal(-0.7, 0.35, made)).astype(np.float32)
        close = rng.random(made) < NEAR_DUPLICATES
        along[close], aside[close] = along[close] * 0.05, aside[close] * 0.05
        noise = rng.standard_normal((made, self.real.shape[1]), np.float32) * self.spectrum
        return np.concatenate([own, unit(self.real[at] + along[:, None] * step + aside[:, None] * noise)])


def from_another_modality(rng: Generator, rows: Rows) -> Rows:
    """Return stand-ins for phrases that mean these pictures: turned, moved away together, and noisier.

    Phrases and pictures of one model lie in two narrow cones apart, and a phrase says less than its picture (Liang and others,
    Mind the Gap, 2022). Similarities to the base become low and close to each other, and what is nearest is no
    longer where an index of pictures expects its queries.
    """
    dim = rows.shape[1]
    turned = rows @ np.linalg.qr(rng.standard_normal((dim, dim)))[0].astype(np.float32)
    away = unit(rng.standard_normal((1, dim)).astype(np.float32))
    noise = unit(rng.standard_normal((len(rows), dim)).astype(np.float32))
    return unit(0.5 * rows + 0.4 * turned + 0.6 * away + 0.5 * noise)


CLUSTERS, GROUPS, LOCAL = 2000, 60, 24
"""The stand-in: clusters in groups, each with this many directions of its own."""


def synthetic(dim: int, seed: int) -> Origin:
    """Return the stand-in for machines without the photos.

    Clusters of power-law size lie in groups; a row is its cluster's centre, plus a few directions of the cluster's own with
    falling strength, plus a little of everything. It is documented, not claimed to be like anything real.
    """
    rng = default_rng([seed, 3])
    groups = rng.standard_normal((GROUPS, dim)).astype(np.float32)
    centres = unit(
        unit(groups)[rng.integers(GROUPS, size=CLUSTERS)]
        + 0.8 * unit(rng.standard_normal((CLUSTERS, dim)).astype(np.float32))
    )
    axes = np.linalg.qr(rng.standard_normal((dim, dim)))[0].astype(np.float32)
    own = rng.integers(dim, size=(CLUSTERS, LOCAL))
    sizes = np.arange(1, CLUSTERS + 1) ** -0.8
    strengths = (0.5 / np.arange(1, LOCAL + 1) ** 0.5).astype(np.float32) / 2

    def make(rng: Generator, _: int, count: int) -> Rows:
        cluster = rng.choice(CLUSTERS, count, p=sizes / sizes.sum())
        along = np.zeros((count, dim), np.float32)
        steps = rng.standard_normal((count, LOCAL), np.float32) * strengths
        np.add.at(along, (np.arange(count)[:, None], own[cluster]), steps)
        everything = rng.standard_normal((count, dim), np.float32) * np.float32(0.15 / dim**0.5)
        return unit(centres[cluster] + along @ axes + everything)

    held = make(rng, 0, TUNING + TIMED)
    return Origin(make, {"in": held, "cross": from_another_modality(rng, held)})
