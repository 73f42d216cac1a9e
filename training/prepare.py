"""Items -> arrays for training: pictures on a canvas, teacher features, colour histograms."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from lookalike.adapters.encoder_onnx_pixels import letterbox
from lookalike.core.images import decode
from training import floors
from training.items import all_shots
from training.recipe import CANVAS_PX

log = logging.getLogger(__name__)

CHUNK = 256
WHITE = 232  # the darkest that a studio's white ground is


def prepare(data: Path, work: Path, teacher: Path) -> None:
    """Write items.jsonl, canvases.npy uint8 [n, 112, 112, 4], histograms.npy and teacher.npy [n, 1280] into `work`."""
    if (work / "teacher.npy").exists():
        log.info("prepared before: %s", work)
        return
    work.mkdir(parents=True, exist_ok=True)
    shots = all_shots(data)
    log.info("%d pictures", len(shots))
    chunks = [[file for _, file in shots[start : start + CHUNK]] for start in range(0, len(shots), CHUNK)]
    with ProcessPoolExecutor() as pool:
        canvases = np.concatenate(list(pool.map(_canvases, chunks)))
        log.info("canvases done")
        features = np.concatenate(list(pool.map(_teach, chunks, [teacher] * len(chunks))))
    lines = "".join(json.dumps(asdict(item)) + "\n" for item, _ in shots)
    (work / "items.jsonl").write_text(lines, encoding="utf-8")
    np.save(work / "canvases.npy", canvases)
    np.save(
        work / "histograms.npy", np.concatenate([_histograms(part) for part in np.array_split(canvases, 100)])
    )
    np.save(work / "teacher.npy", features.astype(np.float16))  # last: it says that all is there


def _canvases(files: Sequence[bytes]) -> NDArray[np.uint8]:
    """Decode as the product does, and find the studio's white ground -> uint8 [n, 112, 112, 4], 255 where no ground is."""
    return np.stack([_canvas(file) for file in files])


def _canvas(file: bytes) -> NDArray[np.uint8]:
    pixels = decode(file)
    canvas = letterbox(pixels, CANVAS_PX, 255)
    shown = letterbox(np.zeros_like(pixels), CANVAS_PX, 255)[..., 0] < 128
    white = (canvas.min(-1) >= WHITE) & (np.ptp(canvas, axis=-1) <= 14)
    patches, _ = ndimage.label(white | ~shown)
    edge = np.concatenate([patches[0], patches[-1], patches[:, 0], patches[:, -1]])
    ground = np.isin(patches, np.unique(edge[edge > 0]))
    rim = shown & ~ndimage.binary_erosion(shown, iterations=2, border_value=0)
    studio = ground[rim].mean() > 0.6 and (shown & ~ground).mean() > 0.02
    alpha = np.where(shown & ~ground if studio else shown, 255, 0).astype(np.uint8)
    return np.dstack([canvas, alpha])


def _teach(files: Sequence[bytes], teacher: Path) -> NDArray[np.float32]:
    return floors.pooled_features(teacher, [decode(file) for file in files])


def _histograms(canvases: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Count hue, saturation and value of things, not grounds, in 12 x 3 x 4 bins -> float16 [n, 144], square roots."""
    out = np.empty((len(canvases), 144), np.float16)
    for row, canvas in zip(out, canvases, strict=True):
        hsv = np.asarray(Image.fromarray(np.ascontiguousarray(canvas[..., :3])).convert("HSV"), np.float32)
        inside = canvas[..., 3] > 0
        hue, saturation, value = (hsv[inside] / 256).T
        counts = np.zeros((12, 3, 4))
        low, part = np.divmod(hue * 12, 1)
        for bin_, weight in ((low, 1 - part), (low + 1, part)):
            place = bin_.astype(int) % 12, (saturation * 3).astype(int), (value * 4).astype(int)
            np.add.at(counts, place, weight)
        # The hue of a grey says nothing.
        counts[:, 0] = counts[:, 0].mean(0, keepdims=True)
        row[:] = np.sqrt(counts.ravel() / max(counts.sum(), 1e-6))
    return out
