"""Where the files of a model are, and whether they are the ones that are meant.

Those of a model without a hub lie beside its TOML. Those that were fetched from one lie in a folder of the model's name, with
the paths they have there, beside `lock.json`, which is written last and pins what the TOML leaves open:

    {"hub": "owner/name", "commit": "...", "files": {"onnx/vision_model.onnx": {"sha256": "...", "bytes": 123}}}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lookalike.adapters.encoder_onnx_preset import CODE, Preset
from lookalike.core.errors import InputError

LOCK: Final = "lock.json"
AGAIN: Final = "Install the package, or fetch the model, once more."


@dataclass(frozen=True, slots=True)
class LockedFile:
    """What a file was when it was fetched."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Lock:
    """What was fetched: from where, at which commit, and each file by its path."""

    hub: str
    commit: str
    files: dict[str, LockedFile]


def found(preset: Preset, beside: Path, models_dir: Path | None = None) -> tuple[Preset, Path]:
    """Return a preset with the hashes of all its files, and the folder these lie in; raise InputError if one is missing.

    `beside` is where its TOML is; `models_dir` is where fetched models are, by default there too.
    """
    if preset.hub is None:
        for file in _unpinned(preset, beside):
            raise InputError(
                f"model {preset.name}: there is {beside / file}, and the .toml does not say its SHA-256",
                hint="Add it as data_sha256; or take the file away, if the graph does not keep its weights there.",
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
    data = [graph.data for graph in preset.graphs if graph.data_sha256 is None]
    without = [file for file, sha256 in preset.files().items() if sha256 is None]
    return [*without, *(file for file in data if (folder / file).is_file())]


def _locked(preset: Preset, folder: Path, unpinned: Sequence[str]) -> Preset:
    lock = _lock(preset, folder / LOCK)
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
        data_sha256 = image.data_sha256 or pinned.get(image.data)
        image = replace(image, sha256=image.sha256 or pinned[image.file], data_sha256=data_sha256)
    if text is not None:
        data_sha256 = text.data_sha256 or pinned.get(text.data)
        text = replace(text, sha256=text.sha256 or pinned[text.file], data_sha256=data_sha256)
        if text.tokenizer == "file":
            text = replace(text, tokenizer_sha256=text.tokenizer_sha256 or pinned[text.tokenizer_file])
    return replace(preset, image=image, text=text)


def _lock(preset: Preset, path: Path) -> Lock:
    try:
        lock = TypeAdapter(Lock).validate_json(path.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
    else:
        if lock.hub == preset.hub:
            return lock
        reason = f"it is of {lock.hub}, the .toml is of {preset.hub}"
    raise InputError(f"model {preset.name}: {path}: {reason}", hint=fetch(preset), code=CODE)
