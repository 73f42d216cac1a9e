"""Batches of pairs: two pictures of each product, three captions of each picture, and what is true of what."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor

from lookalike.adapters.encoder_onnx_words import features
from training.captions import KEYS, SLOTS, article_key, say, typed
from training.items import Item
from training.recipe import Recipe

LABELS = ("article", "color", "gender", "usage", "instance")
"""What the label heads learn. Of instances, only those with several pictures: groceries and labelled clothes."""


@dataclass
class Prepared:
    """What `prepare` wrote: things in order of the pictures."""

    items: list[Item]
    canvases: Tensor
    teacher: Tensor
    histograms: Tensor

    @classmethod
    def load(cls, work: Path) -> Prepared:
        lines = (work / "items.jsonl").read_text(encoding="utf-8").splitlines()
        teacher = (
            torch.from_numpy(np.load(work / "teacher.npy")).float().sqrt()
        )  # or few features shout down the rest
        return cls(
            items=[Item(**json.loads(line)) for line in lines],
            canvases=torch.from_numpy(np.load(work / "canvases.npy")),
            teacher=teacher - teacher.mean(0),
            histograms=torch.from_numpy(np.load(work / "histograms.npy")),
        )


@dataclass
class Batch:
    """2n pictures (the first n and the second n are partners) and their captions."""

    rows: Tensor
    slots: list[tuple[Tensor, Tensor]]
    """For each slot: features of m captions, and int64 [2n, m]: true of a picture (1), false (0), or unknown (-1)."""
    names: tuple[Tensor, Tensor]
    """Features of n titles, and of the same titles with words lost and letters wrong."""
    closeness: Tensor
    """float32 [2n, 2n]: how much nearer than strangers two pictures should be."""
    labels: dict[str, Tensor]
    teacher: Tensor
    histograms: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the same batch on a device."""
        return Batch(
            rows=self.rows,
            slots=[(said.to(device), true.to(device)) for said, true in self.slots],
            names=(self.names[0].to(device), self.names[1].to(device)),
            closeness=self.closeness.to(device),
            labels={name: known.to(device) for name, known in self.labels.items()},
            teacher=self.teacher.to(device),
            histograms=self.histograms.to(device),
        )


class Batches:
    """Draws batches; the same seed and step give the same batch, so a run can go on where it stopped."""

    def __init__(self, data: Prepared, recipe: Recipe) -> None:
        self.data = data
        self.items = items = data.items
        self.recipe = recipe
        self.partners: dict[str, list[int]] = defaultdict(list)
        self.clean: dict[str, int] = {}
        self.by_source: dict[str, list[int]] = defaultdict(list)
        for row, item in enumerate(items):
            if not item.dev:
                self.partners[item.instance].append(row)
                if item.clean:
                    self.clean[item.instance] = row
                self.by_source[item.source].append(row)
        self.odds = {source: self._odds(rows) for source, rows in self.by_source.items()}
        self.codes = {kind: _codes([key(item) for item in items]) for kind, key in KEYS.items()}
        self.kinds = {kind: number for number, kind in enumerate(self.codes)}
        self.all_codes = torch.stack(list(self.codes.values()))
        self.labels = {name: self._labels(name) for name in LABELS}

    def _labels(self, name: str) -> Tensor:
        counts = {instance: len(rows) for instance, rows in self.partners.items()}
        values = [
            (
                item.instance
                if item.source in ("grocery", "clothing") and counts.get(item.instance, 0) > 4
                else ""
            )
            if name == "instance"
            else (article_key(item) if name == "article" else getattr(item, name))
            for item in self.items
        ]
        return _codes(values)

    def classes(self) -> dict[str, int]:
        """Return how many labels there are of each kind."""
        return {name: int(codes.max()) + 1 for name, codes in self.labels.items()}

    def draw(self, step: int) -> Batch:
        rng = Random(f"{self.recipe.seed} {step}")
        first = self.draw_rows(rng)
        rows = torch.tensor(first + [self._partner(row, rng) for row in first])
        return Batch(
            rows=rows,
            slots=[self.captions(slot, rows, rng) for slot in range(len(SLOTS))],
            names=self._names(first, rng),
            closeness=self._closeness(rows),
            labels={name: codes[rows] for name, codes in self.labels.items()},
            teacher=self.data.teacher[rows],
            histograms=self.data.histograms[rows].float(),
        )

    def draw_rows(self, rng: Random) -> list[int]:
        sources, shares = zip(*self.recipe.shares, strict=True)
        drawn = Counter(rng.choices(sources, shares, k=self.recipe.pairs))
        return [
            row
            for source in sources
            for row in rng.choices(self.by_source[source], cum_weights=self.odds[source], k=drawn[source])
        ]

    def _odds(self, rows: Sequence[int]) -> list[float]:
        """Return the running sum of how often each row is drawn."""
        articles = [article_key(self.items[row]) for row in rows]
        counts = Counter(articles)
        return list(accumulate(counts[article] ** -self.recipe.evenness for article in articles))

    def _partner(self, row: int, rng: Random) -> int:
        """Return another picture of the same thing, its clean one as often as all others, or the same picture."""
        others = self.partners[self.items[row].instance]
        clean = self.clean.get(self.items[row].instance)
        if clean is not None and rng.random() < 0.5:
            return clean
        return rng.choice(others) if rng.random() < 0.8 else row

    def captions(self, slot: int, rows: Tensor, rng: Random) -> tuple[Tensor, Tensor]:
        said = [(row, *say(slot, self.items[row], rng)) for row in rows.tolist()]
        said = [(row, text, kind) for row, text, kind in said if text]
        kinds = torch.tensor([self.kinds[kind] for _, _, kind in said])
        own = self.all_codes[kinds, torch.tensor([row for row, _, _ in said])]
        pictured = self.all_codes[:, rows][kinds]
        true = torch.where(pictured < 0, -1, (pictured == own[:, None]).long()).T
        return torch.from_numpy(features([typed(text, rng) for _, text, _ in said])), true

    def _names(self, rows: Sequence[int], rng: Random) -> tuple[Tensor, Tensor]:
        titles = sorted({self.items[row].title for row in rows} - {""})
        spoiled = [typed(typed(title, rng), rng) for title in titles]
        return torch.from_numpy(features(titles)), torch.from_numpy(features(spoiled))

    def _closeness(self, rows: Tensor) -> Tensor:
        def same(kind: str) -> Tensor:
            codes = self.codes[kind][rows]
            return ((codes[:, None] == codes) & (codes >= 0)[:, None]).float()

        return (
            self.recipe.close_instance * same("instance")
            + self.recipe.close_color_article * same("color_article")
            + self.recipe.close_article * same("article")
            + self.recipe.close_color * same("color")
        )


def _codes(values: Sequence[str]) -> Tensor:
    """Number distinct values from 0; an empty one is -1."""
    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(value, len(numbers)) if value else -1 for value in values])


def ahead(batches: Batches, start: int, stop: int) -> Iterator[Batch]:
    """Draw the batches of some steps, one ahead, in a thread of its own."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(batches.draw, start)
        for step in range(start, stop):
            batch = coming.result()
            if step + 1 < stop:
                coming = pool.submit(batches.draw, step + 1)
            yield batch
