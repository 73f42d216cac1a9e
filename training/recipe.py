"""Every number of the recipe, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """What decides the result, besides the data. `steps` and `sizes` decide most of the time it takes."""

    seed: int = 0
    steps: int = 2600
    pairs: int = 192
    """Products in a batch; each comes with two pictures: two augmentations, views, or photos of the same thing."""
    sizes: tuple[tuple[float, int], ...] = ((0.45, 64), (0.85, 80), (1.0, 96))
    """(until this share of the steps, train at this size in px): small pictures teach the most in a given time."""
    size_px: int = 96
    dim: int = 256
    learning_rate: float = 2.5e-3
    warmup: int = 150
    weight_decay: float = 0.05
    ema: float = 0.9985
    temperature: float = 0.07
    """Of the picture-picture loss; that of the picture-text loss is learned."""
    shares: tuple[tuple[str, float], ...] = (
        ("fashion", 0.7),
        ("clothing", 0.12),
        ("grocery", 0.08),
        ("luma", 0.03),
        ("drawn", 0.07),
    )
    evenness: float = 0.3
    """How far rare articles are preferred: 0 draws products evenly, 1 articles evenly."""
    loss_text: float = 1.0
    loss_images: float = 0.7
    loss_names: float = 0.2
    loss_labels: float = 0.25
    loss_teacher: float = 1.0
    loss_colors: float = 0.5
    """Weights of the losses: picture-text, picture-picture, title-title, labels, the teacher, colour histograms."""


CANVAS_PX = 112
"""Side of the prepared pictures, a little larger than what is trained on, so that crops stay sharp."""
