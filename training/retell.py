"""The second stage: the text tower alone, against pictures that stay where they are, in large batches.

Locked-image tuning (Zhai et al., 2022). It costs little, since pictures are embedded once; and it also teaches what the
first stage hardly does: that a few words of a title are of every title that has them, which is how people search for a
brand or a model.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from lookalike.adapters.encoder_onnx_words import features, stem, words_of
from training import losses
from training.augment import augment
from training.batches import Batches, Prepared
from training.captions import SLOTS, typed
from training.export import towers
from training.plots import write_line
from training.recipe import Recipe
from training.towers import ImageTower
from training.watch import watch

log = logging.getLogger(__name__)

VIEWS = 2
"""Augmentations of each picture: a text should not learn one view by heart."""
CHUNK = 256
LOG_EVERY = 20
SCALE = 20.0


def retell(work: Path, out: Path, recipe: Recipe) -> Path:
    """Go on with the text tower of `out`/first.pt; write `out`/towers.pt with both towers and return its path."""
    result = out / "towers.pt"
    if result.exists():
        log.info("told before: %s", result)
        return result
    torch.manual_seed(recipe.seed)
    data = Prepared.load(work)
    image, text = towers(out / "first.pt", recipe)
    pictures = _pictures(image, data, recipe)
    batches = Batches(data, replace(recipe, pairs=recipe.text_batch))
    text.train()
    optimizer = torch.optim.AdamW(text.parameters(), lr=recipe.text_rate, weight_decay=0.0, betas=(0.9, 0.98))
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, recipe.text_steps))
    began = time.monotonic()
    for step in range(recipe.text_steps):
        rng = Random(f"text {recipe.seed} {step}")
        rows = torch.tensor(batches.draw_rows(rng))
        seen = pictures[rng.randrange(VIEWS), rows]
        told = torch.stack([_told(batches, slot, rows, seen, text, rng) for slot in range(len(SLOTS))]).mean()
        titles = sorted({data.items[row].title for row in rows.tolist()} - {""})
        whole = text(torch.from_numpy(features(titles)))
        spoiled = text(torch.from_numpy(features([typed(typed(title, rng), rng) for title in titles])))
        same = torch.eye(len(titles), dtype=torch.long)
        names = losses.picture_text(whole, spoiled, same, torch.tensor(SCALE))
        fragments, held = _fragments(titles, rng)
        parts = losses.picture_text(
            whole, text(torch.from_numpy(features(fragments))), held, torch.tensor(SCALE)
        )
        loss = recipe.loss_text * told + recipe.text_names * (names + parts)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        falling.step()
        if step % LOG_EVERY == 0:
            values = {"told": told, "names": names, "parts": parts}
            line = {name: round(float(value.detach()), 4) for name, value in values.items()}
            speed = round((step + 1) / (time.monotonic() - began), 3)
            write_line(out, {"text_step": step, "steps_per_s": speed, **line})
    watched = watch(image, text, data, recipe.size_px, torch.device("cpu"))
    write_line(out, {"text_step": recipe.text_steps, **watched})
    torch.save({"image": image.state_dict(), "text": text.state_dict()}, result)
    return result


@torch.no_grad()
def _pictures(image: ImageTower, data: Prepared, recipe: Recipe) -> Tensor:
    """Embed every picture in a few augmentations -> float32 [views, n, dim]."""
    generator = torch.Generator().manual_seed(recipe.seed)
    views = []
    for _ in range(VIEWS):
        chunks = data.canvases.split(CHUNK)
        views.append(torch.cat([image(augment(chunk, recipe.size_px, generator)) for chunk in chunks]))
    return torch.stack(views)


def _told(
    batches: Batches, slot: int, rows: Tensor, seen: Tensor, text: torch.nn.Module, rng: Random
) -> Tensor:
    said, true = batches.captions(slot, rows, rng)
    return losses.picture_text(seen, text(said), true, torch.tensor(SCALE))


def _fragments(titles: Sequence[str], rng: Random) -> tuple[list[str], Tensor]:
    """Take one to three words of each title -> the fragments, and int64 [titles, fragments]: which titles have all of them."""
    stems = [frozenset(map(stem, words_of(title))) for title in titles]
    chosen = [
        rng.sample(words_of(title), min(len(words_of(title)), rng.choice((1, 1, 2, 3)))) for title in titles
    ]
    wanted = [frozenset(map(stem, words)) for words in chosen]
    held = torch.tensor([[int(want <= has) for want in wanted] for has in stems])
    return [" ".join(words) for words in chosen], held
