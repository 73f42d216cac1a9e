"""The training loop: seeded, logged, and able to go on from its last checkpoint."""

from __future__ import annotations

import copy
import json
import logging
import math
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - as everyone calls it

from training import losses
from training.augment import augment
from training.batches import Batch, Batches, Prepared, ahead
from training.plots import write_line
from training.recipe import Recipe
from training.towers import ImageTower, TextTower
from training.watch import watch

log = logging.getLogger(__name__)

RELATIONS_TEMPERATURE = 0.1
LOG_EVERY = 20
WATCH_EVERY = 300
SAVE_EVERY = 200


class Student(nn.Module):
    """Both towers, and the heads that only training needs."""

    def __init__(self, recipe: Recipe, classes: dict[str, int], teacher_dim: int, histogram_dim: int) -> None:
        super().__init__()
        self.image = ImageTower(recipe.dim)
        self.text = TextTower(recipe.dim)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        width = self.image.trunk_dim
        self.labels = nn.ModuleDict({name: nn.Linear(width, count) for name, count in classes.items()})
        self.teacher = nn.Sequential(nn.Linear(width, 512), nn.ReLU(), nn.Linear(512, teacher_dim))
        self.histogram = nn.Linear(width, histogram_dim)

    def scale(self) -> Tensor:
        return self.log_scale.clamp(max=math.log(60)).exp()


def train(work: Path, out: Path, recipe: Recipe) -> Path:
    """Train on what `prepare` wrote to `work`; write log.jsonl and checkpoints to `out`. Return the path of the towers."""
    out.mkdir(parents=True, exist_ok=True)
    _same_recipe(out / "recipe.json", recipe)
    result = out / "first.pt"
    if result.exists():
        log.info("trained before: %s", result)
        return result
    torch.manual_seed(recipe.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = Prepared.load(work)
    batches = Batches(data, recipe)
    model = Student(recipe, batches.classes(), data.teacher.shape[1], data.histograms.shape[1])
    model = model.to(device, memory_format=torch.channels_last)
    averaged = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(_groups(model, recipe), lr=recipe.learning_rate, betas=(0.9, 0.98))
    start = _resume(out, model, averaged, optimizer, device)
    trunk = torch.compile(model.image.trunk, dynamic=False)  # a quarter faster on a CPU
    generator = torch.Generator()
    began = time.monotonic()
    for step, batch in enumerate(ahead(batches, start, recipe.steps), start):
        generator.manual_seed(recipe.seed * 1_000_003 + step)
        rate = _rate(step, recipe)
        for group in optimizer.param_groups:
            group["lr"] = rate
        pictures = augment(data.canvases[batch.rows], _size(step, recipe), generator)
        with torch.autocast(device.type, torch.bfloat16):
            seen = trunk(pictures.to(device, memory_format=torch.channels_last))
        parts = _losses(model, seen.float(), batch.to(device), recipe)
        optimizer.zero_grad(set_to_none=True)
        torch.stack([weight * part for weight, part in parts.values()]).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        _average(averaged, model, min(recipe.ema, (step + 1) / (step + 10)))
        if step % LOG_EVERY == 0:
            values = {name: round(float(part.detach()), 4) for name, (_, part) in parts.items()}
            speed = round((step - start) / (time.monotonic() - began), 3)
            write_line(out, {"step": step, "lr": round(rate, 6), "steps_per_s": speed, **values})
        if (step + 1) % WATCH_EVERY == 0 or step + 1 == recipe.steps:
            write_line(
                out, {"step": step, **watch(averaged.image, averaged.text, data, recipe.size_px, device)}
            )
        if (step + 1) % SAVE_EVERY == 0:
            _save(out, step + 1, model, averaged, optimizer)
    torch.save({"image": averaged.image.state_dict(), "text": averaged.text.state_dict()}, result)
    return result


def _same_recipe(path: Path, recipe: Recipe) -> None:
    """Keep the recipe beside its results; refuse to go on with another."""
    text = json.dumps(asdict(recipe), indent=1)
    if path.exists() and path.read_text() != text:
        raise SystemExit(f"{path} holds another recipe: give this one a folder of its own with --run NAME.")
    path.write_text(text)


def _losses(model: Student, trunk: Tensor, batch: Batch, recipe: Recipe) -> dict[str, tuple[float, Tensor]]:
    """Return each loss of a batch with its weight; `trunk` is what the image tower made of its pictures."""
    embedded = model.image.project(trunk)
    scale = model.scale()
    text = [losses.picture_text(embedded, model.text(said), true, scale) for said, true in batch.slots]
    titles, spoiled = (model.text(part) for part in batch.names)
    same = torch.eye(len(titles), dtype=torch.long, device=titles.device)
    labels = [losses.labels(head(trunk), batch.labels[name]) for name, head in model.labels.items()]
    return {
        "text": (recipe.loss_text, torch.stack(text).mean()),
        "images": (recipe.loss_images, losses.picture_picture(embedded, batch.closeness, recipe.temperature)),
        "names": (recipe.loss_names, losses.picture_text(titles, spoiled, same, scale)),
        "labels": (recipe.loss_labels, torch.stack(labels).mean()),
        "teacher": (recipe.loss_teacher, losses.alike(model.teacher(trunk), batch.teacher)),
        "relations": (
            recipe.loss_relations,
            losses.relations(embedded, _teachers(batch, recipe.relations_teacher), RELATIONS_TEMPERATURE),
        ),
        "colors": (recipe.loss_colors, losses.alike(model.histogram(trunk), batch.histograms)),
    }


def _teachers(batch: Batch, share: float) -> Tensor:
    """Return how alike the teacher's features and the colours of the pictures are, mixed -> cosines [2n, 2n]."""
    seen, colors = F.normalize(batch.teacher, dim=1), F.normalize(batch.histograms, dim=1)
    return share * (seen @ seen.T) + (1 - share) * (colors @ colors.T)


def _groups(model: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    """Split the weights: gains, biases and hash tables do not decay."""
    plain_ = [p for name, p in model.named_parameters() if p.ndim < 2 or "table" in name]
    decayed = [p for name, p in model.named_parameters() if p.ndim >= 2 and "table" not in name]
    return [{"params": plain_, "weight_decay": 0.0}, {"params": decayed, "weight_decay": recipe.weight_decay}]


def _rate(step: int, recipe: Recipe) -> float:
    """Rise in a line, then fall along a cosine to a hundredth."""
    if step < recipe.warmup:
        return recipe.learning_rate * (step + 1) / recipe.warmup
    share = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def _size(step: int, recipe: Recipe) -> int:
    return next(size for until, size in recipe.sizes if step < until * recipe.steps)


@torch.no_grad()
def _average(averaged: nn.Module, model: nn.Module, keep: float) -> None:
    """Move the averaged weights, and the statistics of the norms, towards the model's."""
    for old, new in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1 - keep)
        else:
            old.copy_(new)


def _save(
    out: Path, step: int, model: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    state = {
        "step": step,
        "model": model.state_dict(),
        "averaged": averaged.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    torch.save(state, out / "checkpoint.part")
    (out / "checkpoint.part").replace(out / "checkpoint.pt")


def _resume(
    out: Path, model: nn.Module, averaged: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
) -> int:
    path = out / "checkpoint.pt"
    if not path.exists():
        return 0
    state = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(state["model"])
    averaged.load_state_dict(state["averaged"])
    optimizer.load_state_dict(state["optimizer"])
    log.info("going on from step %d", state["step"])
    return int(state["step"])
