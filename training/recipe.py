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
    sizes: tuple[tuple[float, int], ...] = ((0.4, 64), (1.0, 80))
    """(until this share of the steps, train at this size in px): small pictures teach the most in a given time."""
    size_px: int = 80
    dim: int = 256
    learning_rate: float = 2.5e-3
    warmup: int = 150
    weight_decay: float = 0.05
    ema: float = 0.9985
    temperature: float = 0.07
    """Of the picture-picture loss; that of the picture-text loss is learned."""
    text_steps: int = 240
    text_batch: int = 1024
    text_rate: float = 7e-4
    text_names: float = 0.3
    """The second stage, of the text tower alone; the last is the weight of its two losses between titles."""
    shares: tuple[tuple[str, float], ...] = (
        ("fashion", 0.60),
        ("clothing", 0.12),
        ("grocery", 0.12),
        ("luma", 0.08),
        ("drawn", 0.08),
    )
    evenness: float = 0.3
    """How far rare articles are preferred: 0 draws products evenly, 1 articles evenly."""
    loss_text: float = 1.0
    loss_images: float = 0.7
    loss_names: float = 0.2
    loss_labels: float = 0.4
    loss_teacher: float = 1.0
    loss_colors: float = 0.5
    loss_relations: float = 1.0
    """Weights of the losses: picture-text, picture-picture, title-title, labels, the teacher, colour histograms, and which
    pictures of a batch teacher and histograms together find alike."""
    relations_teacher: float = 0.5
    """The teacher's share in what is alike; colour histograms have the rest."""
    close_instance: float = 3.0
    close_color_article: float = 0.8
    close_article: float = 0.12
    close_color: float = 0.1
    """How close two pictures of one thing, of one colour and article, of one article, and of one colour should be, beside each
    other. What is true of a pair adds up. A batch holds one partner of a picture and dozens of its article: hence so much for
    one thing."""


NAME = "builtin"
KINDS = ("float32", "float16", "int8")
"""What the model is called, and how its weights can be stored."""
CANVAS_PX = 112
"""Side of the prepared pictures, a little larger than what is trained on, so that crops stay sharp."""
