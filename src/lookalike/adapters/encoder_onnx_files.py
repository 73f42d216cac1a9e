"""Where the files of a model are, and whether they are the ones that are meant.

Those of a model without a hub lie beside its TOML. Those that were fetched from one lie in a folder of the model's name, with
the paths they have there, beside `lock.json` (see `model_lock`), which pins what the TOML leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from lookalike.adapters.encoder_onnx_preset import CODE, Graph, Preset
from lookalike.adapters.model_lock import BESIDE, LOCK, Lock, lock_in, weights_beside
from lookalike.core.errors import InputError

AGAIN: Final = "Install the package, or fetch the model, once more."


def found(preset: Preset, beside: Path, models_dir: Path | None = None) -> tuple[Preset, Path]:
    """Return a preset with the hashes of all its files, and the folder these lie in; raise InputError if one is missing.

    `beside` is where its TOML is; `models_dir` is where fetched models are, by default there too.
    """
    if preset.hub is None:
        for file in _unpinned(preset, beside):
            raise InputError(
                f"model {preset.name}: there is {beside / file}, and the .toml does not say its SHA-256",
                hint="Add it as data, with data_sha256; or take the file away, if the graph does not keep its weights there.",
                code=CODE,
            )
        return preset, beside
    folder = (models_dir or beside) / preset.name
    missing = [file for file in preset.files() if not (folder / file).is_file()]
    if missing:
        raise InputError(
            f"model {preset.name} is not here: there is no {folder / missing[0]}",
            hint=fetch(preset),
            code=CODE,
        )
    unpinned = _unpinned(preset, folder)
    return (_locked(preset, folder, unpinned) if unpinned else preset), folder


def verified(file: Path, sha256: str | None, hint: str = AGAIN) -> Path:
    """Return the path of a model's file once its content is what the TOML or the lock says; raise InputError otherwise."""
    try:
        with file.open("rb") as stream:
            digest = file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"model file {file}: {error.strerror}", hint=hint, code=CODE) from None
    if digest != sha256:
        raise InputError(
            f"model file {file} ({file.stat().st_size:,} bytes) is damaged or of another version:"
            f" its SHA-256 begins with {digest[:12]}, the .toml says {(sha256 or 'none')[:12]}",
            hint=hint,
            code=CODE,
        )
    return file


def fetch(preset: Preset) -> str:
    """Say how to get a model's files (again)."""
    return AGAIN if preset.hub is None else f"Fetch it: lookalike models fetch {preset.name}"


def _unpinned(preset: Preset, folder: Path) -> list[str]:
    """Return the files whose SHA-256 the TOML does not say, with those beside graphs that may hold their weights."""
    without = [file for file, sha256 in preset.files().items() if sha256 is None]
    unnamed = [graph.file for graph in preset.graphs if graph.weights is None]
    return [*without, *weights_beside(unnamed, folder)]


def _locked(preset: Preset, folder: Path, unpinned: Sequence[str]) -> Preset:
    lock = _lock(preset, folder)
    lacking = [file for file in unpinned if file not in lock.files]
    if lacking:
        raise InputError(
            f"model {preset.name}: {folder / LOCK} says nothing of {lacking[0]}",
            hint=fetch(preset),
            code=CODE,
        )
    pinned = {file: locked.sha256 for file, locked in lock.files.items()}
    image, text = preset.image, preset.text
    if image is not None:
        image = replace(image, **_hashes(image, pinned, folder))
    if text is not None:
        text = replace(text, **_hashes(text, pinned, folder))
        if text.tokenizer == "file":
            text = replace(text, tokenizer_sha256=text.tokenizer_sha256 or pinned[text.tokenizer_file])
    return replace(preset, image=image, text=text)


def _hashes(graph: Graph, pinned: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Return what the TOML of a graph leaves open: hashes, and which file has its weights."""
    beside = [graph.weights] if graph.weights is not None else weights_beside([graph.file], folder)
    # A lock may name weights that are gone; then there must be an error when the graph is opened, not another fingerprint.
    beside = beside or [file for file in (graph.file + ending for ending in BESIDE) if file in pinned]
    found: dict[str, Any] = {"sha256": graph.sha256 or pinned[graph.file]}
    if beside:
        found |= {"data": beside[0], "data_sha256": graph.data_sha256 or pinned[beside[0]]}
    return found


def _lock(preset: Preset, folder: Path) -> Lock:
    path = folder / LOCK
    try:
        lock = lock_in(folder)
    except OSError as error:
        reason = error.strerror or str(error)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
    else:
        if lock.hub == preset.hub:
            return lock
        reason = f"it is of {lock.hub}, the .toml is of {preset.hub}"
    raise InputError(f"model {preset.name}: {path}: {reason}", hint=fetch(preset), code=CODE)
