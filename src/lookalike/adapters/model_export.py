"""A model in its torch form -> ONNX graphs, and the preset beside them that the ONNX adapter runs.

The graphs take any number of pictures, and of texts of any length. What the preset says of preparation and of pooling comes
from the preset that names the weights or, for a bare folder, from the files in it (`model_export_recipe`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from lookalike.adapters import model_export_recipe as recipe
from lookalike.adapters.encoder_onnx import OnnxEncoder
from lookalike.adapters.encoder_onnx_preset import Preset, read_preset
from lookalike.adapters.encoder_torch import TorchEncoder, agreement
from lookalike.adapters.encoder_torch_weights import (
    CODE,
    ImageTower,
    TextTower,
    opened,
    sha256_of,
    split,
    torch,
)
from lookalike.adapters.model_export_toml import Table, write_golden, write_unchecked
from lookalike.core.errors import InputError

OPSET: Final = 18
OUTPUT: Final = "output"
KINDS: Final = ("image", "text")
TOLERANCE: Final = 1e-3
"""Of golden values in float32, where processors differ in the sixth digit."""
OF_ITS_FILES: Final = (
    "file",
    "sha256",
    "data",
    "data_sha256",
    "input",
    "output",
    "mask",
    "types",
    "tokenizer_sha256",
)
"""What a preset says of its graphs, and another one says otherwise."""
OF_ITS_PLACE: Final = ("golden", "hub", "revision", "size_mb", "card", "source", *KINDS)

Say = Callable[[str], None]
Pools = Mapping[str, str]
"""How a tower's output becomes one vector, by "image" and "text"."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The preset written, and the least cosine of a tower's vectors with those of torch, by "image" and "text"."""

    preset: Path
    cosines: Mapping[str, float]


def export_model(
    source: str, out: Path, *, places: Sequence[Path], name: str = "", say: Say = lambda text: None
) -> Exported:
    """Write NAME-image.onnx, NAME-text.onnx (those the model has), tokenizer.json, NAME.toml and NAME.md into `out`.

    `source` is the .toml of a preset that names its weights, a folder of a transformers model, or an id of one that is below
    one of `places` or in the cache of the hub's client. `say` is told of each step. Raises InputError when weights or their
    files cannot be used, and when a graph does not give what the weights give.
    """
    held = read_preset(Path(source)) if source.endswith(".toml") else None
    weights = _weights_of(held, source)
    say(f"reading {weights}")
    model, folder = opened(weights, places)
    out.mkdir(parents=True, exist_ok=True)
    table, pools = _described(held) if held else _recognised(model, folder)
    name = name or (held.name if held else recipe.name_of(weights))
    held_at = ":".join(filter(None, (split(weights)[0], str(folder.resolve()))))
    table |= {"name": name, "card": f"{name}.md", "source": held_at}
    for kind, pool in pools.items():
        say(f"writing {name}-{kind}.onnx")
        if kind == "text":
            table["text"]["tokenizer_sha256"] = sha256_of(recipe.tokenizer(folder, out))
        file = out / f"{name}-{kind}.onnx"
        table["dim"] = WRITERS[kind](model, pool, table[kind], file)
        table[kind] |= {"file": file.name, "sha256": sha256_of(file), "output": OUTPUT, "pool": pool}
    path = out / f"{name}.toml"
    write_unchecked(path, table)
    say("comparing with torch")
    # In float32 it refuses weights whose vectors are not those of the graphs.
    cosines = agreement(TorchEncoder.from_preset(path, device="cpu"), OnnxEncoder.from_preset(path))
    write_golden(path, table, TOLERANCE)
    made_with = f"torch {version('torch')}, transformers {version('transformers')}, opset {OPSET}"
    card = (
        f"Made of `{weights}` (licence: {table['licence']}) by `lookalike models export`, with {made_with}."
    )
    (out / f"{name}.md").write_text(f"# {name}\n\n{card}\n", "utf-8")
    return Exported(path, cosines)


def _weights_of(held: Preset | None, source: str) -> str:
    """Return what names the torch weights; raise InputError for a preset that names none."""
    if held is None:
        return source
    if not held.source:
        raise InputError(
            f"the model {held.name} names no torch weights",
            hint='Give a folder of a transformers model, or add source = "OWNER/NAME" to the .toml.',
            code=CODE,
        )
    return held.source


# --- what the preset says -----------------------------------------------------------------------------------------------


def _described(preset: Preset) -> tuple[Table, Pools]:
    """Return what a preset says, without what is so of its own files only; and how its towers make one vector."""
    whole = asdict(preset)
    table = {key: value for key, value in whole.items() if key not in OF_ITS_PLACE}
    pools = {}
    for kind in KINDS:
        if whole[kind]:
            pools[kind] = whole[kind]["pool"]
            said = whole[kind].items()
            table[kind] = {key: value for key, value in said if key not in OF_ITS_FILES and value is not None}
    if "text" in pools:
        table["text"] |= {"tokenizer": "file", "tokenizer_file": recipe.TOKENIZER}
    return table, pools


def _recognised(model: Any, folder: Path) -> tuple[Table, Pools]:
    """Return what the files beside the weights say, by the preset's names; and how the towers make one vector."""
    config = recipe.config_of(folder)
    both = hasattr(model, "get_image_features") and hasattr(model, "get_text_features")
    sees = hasattr(model, "get_image_features") or (folder / recipe.PICTURES).is_file()
    reads = hasattr(model, "get_text_features") or not sees
    licence = recipe.licence_of(folder)
    terms = "open" if licence in recipe.OPEN_LICENCES else "custom"
    table: Table = {"version": 1, "dim": 0, "aligned": both, "licence": licence, "licence_class": terms}
    pools = {}
    if sees:
        table["image"] = recipe.image_table(folder)
        pools["image"] = "none" if both else recipe.image_pool(config)
    if reads:
        table["text"] = recipe.text_table(folder, config)
        pools["text"] = "none" if both else recipe.text_pool(folder)
    return table, pools


# --- graphs -------------------------------------------------------------------------------------------------------------


def _write_image(model: Any, pool: str, table: Table, file: Path) -> int:
    """Write the image tower and add to `table` what it takes; return the length of its vectors."""
    side = table["size_px"]
    table["input"] = "pixel_values"
    return _to_onnx(ImageTower(model, pool), {"pixel_values": torch.zeros(2, 3, side, side)}, {0: "n"}, file)


def _write_text(model: Any, pool: str, table: Table, file: Path) -> int:
    """Write the text tower and add to `table` what it takes; return the length of its vectors."""
    # Models that were trained on texts filled up to their full length attend to what fills them.
    full = table.get("pad_to") == "context"
    ids = torch.ones(2, table["context"] if full else min(8, table["context"]), dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[0, -2:] = 0  # so that the trace cannot take a short cut for texts of one length
    sample = {"input_ids": ids} if full else {"input_ids": ids, "attention_mask": mask}
    table |= {"input": "input_ids", "mask": "" if full else "attention_mask", "types": ""}
    return _to_onnx(TextTower(model, pool, tuple(sample)), sample, {0: "n", 1: "tokens"}, file)


WRITERS: Final[Mapping[str, Callable[[Any, str, Table, Path], int]]] = {
    "image": _write_image,
    "text": _write_text,
}


def _to_onnx(tower: Any, sample: Mapping[str, Any], axes: Mapping[int, str], file: Path) -> int:
    """Trace a tower into a file, with these axes of any length; return the length of its vectors."""
    with torch.inference_mode():
        dim = int(tower(*sample.values()).shape[1])
    tower.pools = False
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter by tracing is called old; the newer one needs a further package and writes far larger graphs.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                tower,
                tuple(sample.values()),
                file,
                input_names=list(sample),
                output_names=[OUTPUT],
                dynamic_axes={name: dict(axes) for name in (*sample, OUTPUT)},
                opset_version=OPSET,
                dynamo=False,
            )
        except (RuntimeError, TypeError, torch.onnx.errors.OnnxExporterError) as error:
            raise InputError(
                f"{file.stem} cannot be written as ONNX: {str(error).strip().splitlines()[0]}",
                hint="Use the weights through torch: pass torch:NAME as the encoder.",
                code=CODE,
            ) from error
    return dim
