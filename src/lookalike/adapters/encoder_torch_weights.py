"""The weights of a model in their torch form -> an image tower and a text tower, each a module that gives one vector a row.

`source` of a preset says which weights: a folder of a transformers model, or the id such a folder has on the Hugging Face hub,
OWNER/NAME. Nothing is downloaded here and no code that comes with weights is run: they are read from `safetensors` files, by a
class of the transformers library. `timm:FOLDER`, `open_clip:FOLDER` and `sentence_transformers:FOLDER` name a folder that the
package of this name reads; where it is not installed, that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import file_digest, sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from lookalike.core.errors import InputError, MissingExtra

try:
    import torch
except ModuleNotFoundError as error:
    raise MissingExtra(f"{error.name} is not installed", hint='pip install "lookalike[torch]"') from error

__all__ = [
    "CODE",
    "ImageTower",
    "TextTower",
    "located",
    "opened",
    "sha256_of",
    "split",
    "torch",
    "weights_hash",
]

CODE: Final = "model"
"""The code of every error about a model's files, as in the ONNX adapter."""
WEIGHTS: Final = (".json", ".safetensors", ".bin", ".pt", ".pth")
"""How the files end that shape vectors, whatever library reads them."""
CONFIGS: Final = ("config.json", "open_clip_config.json")
"""The files of which one makes a folder that of a model."""


class ImageTower(torch.nn.Module):  # type: ignore[misc]  # torch is not looked into: it need not be installed
    """pixel_values [n, 3, height, width] -> vectors [n, dim], not yet of length 1; `pool` is that of the preset.

    With `pools` False it leaves pooling to who asks, and gives what is to be pooled.
    """

    def __init__(self, model: Any, pool: str) -> None:
        super().__init__()
        self.pools = True
        self.model = model if pool == "none" else getattr(model, "vision_model", model)
        self.pool = pool
        self.eval()

    def forward(self, pixel_values: Any) -> Any:
        if self.pool == "none":
            embed = getattr(self.model, "get_image_features", self.model)
            return _pooled(embed(pixel_values=pixel_values))
        states = self.model(pixel_values=pixel_values).last_hidden_state
        if not self.pools:
            return states
        if self.pool == "cls":
            return states[:, 0]
        return states.mean((-2, -1)) if states.ndim == 4 else states.mean(1)


class TextTower(torch.nn.Module):  # type: ignore[misc]
    """Tokens, by the names of transformers, -> vectors [n, dim], not yet of length 1; `pool` is that of the preset.

    `inputs` are the names of the arguments, in their order: input_ids first, then attention_mask and token_type_ids if the
    model is to have them. With `pools` False it leaves pooling to who asks, and gives what is to be pooled.
    """

    def __init__(self, model: Any, pool: str, inputs: Sequence[str]) -> None:
        super().__init__()
        self.pools = True
        self.model = model if pool == "none" else getattr(model, "text_model", model)
        self.pool = pool
        self.inputs = tuple(inputs)
        self.eval()

    def forward(self, *tokens: Any) -> Any:
        given = dict(zip(self.inputs, tokens, strict=True))
        if self.pool == "none":
            return _pooled(getattr(self.model, "get_text_features", self.model)(**given))
        states = self.model(**given).last_hidden_state
        if not self.pools:
            return states
        if self.pool == "cls":
            return states[:, 0]
        if "attention_mask" not in given:
            return states.mean(1)
        used = given["attention_mask"][:, :, None].to(states.dtype)
        return (states * used).sum(1) / used.sum(1)


def _pooled(output: Any) -> Any:
    """Return the one vector per row of a model's output: what it is, or its `pooler_output`."""
    if torch.is_tensor(output):
        return output
    pooled = getattr(output, "pooler_output", None)
    if pooled is None:
        raise InputError(
            f"{type(output).__name__} holds no vector of the whole",
            hint='Say in the .toml how one is made of it: pool = "cls" or pool = "mean".',
            code=CODE,
        )
    return pooled.flatten(1)


def split(source: str) -> tuple[str, str]:
    """Part a source into the library that reads it, "" for transformers, and the name of the weights."""
    kind, _, named = source.partition(":")
    return (kind, named) if kind in LOADERS else ("", source)  # C:\\models has a colon of its own


def located(source: str, places: Sequence[Path]) -> Path:
    """Return the folder of a transformers model: `source` below one of `places`, or that id in the cache of the hub's client.

    Raises InputError, with the line that brings it, when it is nowhere on this machine: nothing is asked of the network.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    for place in (Path("/"),) if Path(source).is_absolute() else places:
        if any((place / source / name).is_file() for name in CONFIGS):
            return place / source
    try:
        return Path(snapshot_download(source, local_files_only=True))
    except (HFValidationError, OSError):
        into = places[-1] / source if places else Path(source)
        raise InputError(
            f"the torch weights {source!r} are not on this machine",
            hint=f"Bring them: hf download {source} --local-dir {into}  (or copy its folder there)",
            code=CODE,
        ) from None


def sha256_of(file: Path) -> str:
    """Hash a file -> 64 hex digits."""
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def weights_hash(source: str, folder: Path) -> str:
    """Hash the weights in the folder of a source and what says how they are used, by name -> 64 hex digits.

    Those are `.json` and `.safetensors` files; other libraries than transformers have more kinds, also in folders below.
    """
    files = [*folder.glob("*.json"), *folder.glob("*.safetensors")]
    if split(source)[0]:
        below = (file for file in folder.rglob("*") if file.suffix in WEIGHTS)
        files = [file for file in below if not any(s.startswith(".") for s in file.relative_to(folder).parts)]
    whole = sha256()
    for file in sorted(files):
        whole.update(f"{file.relative_to(folder).as_posix()} {sha256_of(file)}\n".encode())
    return whole.hexdigest()


def opened(source: str, places: Sequence[Path]) -> tuple[Any, Path]:
    """Read weights, on the processor and as float32 -> (model, the folder it came from); raise InputError if they are unfit."""
    kind, named = split(source)
    folder = located(named, places)
    try:
        return (LOADERS[kind] if kind else _transformers)(folder).eval(), folder
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"the torch weights in {folder} cannot be read: {reason}",
            hint=f"The folder must hold {CONFIGS[0]} and .safetensors files of an architecture that the library knows.",
            code=CODE,
        ) from error


def _transformers(folder: Path) -> Any:
    transformers = _package("transformers", '"lookalike[torch]"')
    transformers.utils.logging.disable_progress_bar()  # who waits is told by those who know for what
    # `use_safetensors`: other weights are pickles, and reading a pickle can run what it says.
    return transformers.AutoModel.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
    )


class _Features(torch.nn.Module):  # type: ignore[misc]
    """A model of another library, with the two methods that those of transformers have."""

    def __init__(self, model: Any, see: Callable[..., Any] | None, read: Callable[..., Any] | None) -> None:
        super().__init__()
        self.model = model
        if see:
            self.get_image_features = see
        if read:
            self.get_text_features = read


def _timm(folder: Path) -> Any:
    model = _package("timm").create_model(f"local-dir:{folder}", pretrained=True, num_classes=0)
    return _Features(model, lambda pixel_values: model(pixel_values), None)


def _open_clip(folder: Path) -> Any:
    model = _package("open_clip", "open_clip_torch").create_model(f"local-dir:{folder}")
    return _Features(
        model,
        lambda pixel_values: model.encode_image(pixel_values),
        lambda input_ids, **masks: model.encode_text(input_ids),
    )


def _sentence_transformers(folder: Path) -> Any:
    model = _package("sentence_transformers", "sentence-transformers").SentenceTransformer(
        str(folder), device="cpu", local_files_only=True, trust_remote_code=False
    )
    return _Features(model, None, lambda **tokens: model(tokens)["sentence_embedding"])


LOADERS: Final[Mapping[str, Callable[[Path], Any]]] = {
    "timm": _timm,
    "open_clip": _open_clip,
    "sentence_transformers": _sentence_transformers,
}
"""What can stand before the colon of a `source`; without one it is a model of transformers."""


def _package(name: str, install: str = "") -> Any:
    """Import a package; raise MissingExtra with its install line when it is not there, or does not work with this torch."""
    try:
        return import_module(name)
    except (ImportError, RuntimeError) as error:
        raise MissingExtra(
            f"the package {name} cannot be imported: {error}", hint=f"pip install {install or name}"
        ) from error
