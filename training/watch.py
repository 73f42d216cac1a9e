"""How training goes, on the few products kept out of it for that: the held-out set is not looked at before the end."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lookalike.adapters.encoder_onnx_words import features
from training.augment import plain
from training.batches import Prepared
from training.captions import article_key
from training.towers import ImageTower, TextTower

CHUNK = 256


@torch.no_grad()
def watch(
    image: ImageTower, text: TextTower, data: Prepared, size_px: int, device: torch.device
) -> dict[str, float]:
    """Measure on the watched products: title -> picture R@10, neighbours of the same article and colour at 10."""
    image.eval(), text.eval()
    rows = [row for row, item in enumerate(data.items) if item.dev]
    items = [data.items[row] for row in rows]
    pictures = torch.cat(
        [
            image(plain(data.canvases[rows[start : start + CHUNK]], size_px).to(device)).cpu()
            for start in range(0, len(rows), CHUNK)
        ]
    )
    titles = text(torch.from_numpy(features([item.title for item in items])).to(device)).cpu()
    articles = np.array([article_key(item) for item in items])
    colors = np.array([item.color for item in items])
    names = np.array([item.title.casefold() for item in items])
    found = _first(titles @ pictures.T)
    near = _first((pictures @ pictures.T).fill_diagonal_(-2))
    phrases = sorted({(item.color, item.article) for item in items if item.color})
    phrases = [(c, a) for c, a in phrases if sum(c == i.color and a == i.article for i in items) >= 5]
    asked = text(
        torch.from_numpy(features([f"{color} {article}".lower() for color, article in phrases])).to(device)
    )
    hits = _first(asked.cpu() @ pictures.T)
    right = np.array([
        [colors[i] == color and items[i].article == article for i in row]
        for row, (color, article) in zip(hits, phrases, strict=True)
    ])  # fmt: skip
    return {
        "watched": len(rows),
        "title_r10": _mean((names[found] == names[:, None]).any(1)),
        "same_article_p10": _mean(articles[near] == articles[:, None]),
        "same_color_p10": _mean(colors[near] == colors[:, None]),
        "phrase_p10": _mean(right),
    }


def _first(similarities: Tensor) -> np.ndarray:
    return similarities.topk(10, dim=1).indices.numpy()


def _mean(values: np.ndarray) -> float:
    return round(float(np.mean(values)), 4)
