"""What a preset has to say of a model, read from the files that come with its torch weights.

The names are those of transformers: `config.json`, `preprocessor_config.json`, `tokenizer.json`, and the files in which
sentence-transformers keeps how it pools and how long a text may be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lookalike.core.errors import InputError

CODE: Final = "model"
TOKENIZER: Final = "tokenizer.json"
VOCABULARIES: Final = (
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
"""What older tokenizers keep their words in."""
PICTURES: Final = "preprocessor_config.json"
OPEN_LICENCES: Final = ("mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "isc", "cc0-1.0", "cc-by-4.0")
"""As READMEs on the hub name them; what is not among them has terms to read first."""
INTERPOLATIONS: Final[Mapping[int, str]] = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""By the numbers that Pillow gives its filters, which `preprocessor_config.json` holds as `resample`."""
CROP_BELOW_PX: Final = 384
"""Models with a `crop_pct` scale to more than they crop below this size, and squash from it on."""
LETTERS: Final = re.compile(r"[^\w.-]+")

Table = dict[str, Any]
"""A table of a preset's TOML."""


def image_table(folder: Path) -> Table:
    """Return how pictures are prepared: size_px, resize, resize_px, interpolation, fill, mean, std."""
    said = _json(folder / PICTURES)
    if not said:
        raise InputError(
            f"{folder} has no {PICTURES}, so it is not known how pictures are prepared",
            hint="Copy it from where the weights come from.",
            code=CODE,
        )
    said = said.get("image_processor", said)
    normal = said.get("do_normalize", True)
    return {
        **_sizes(said),
        "interpolation": INTERPOLATIONS.get(said.get("resample", 3), "bicubic"),
        "fill": 255,
        "mean": said.get("image_mean", [0.5] * 3) if normal else [0.0] * 3,
        "std": said.get("image_std", [0.5] * 3) if normal else [1.0] * 3,
    }


def _sizes(said: Mapping[str, Any]) -> Table:
    size = said.get("size", 224)
    size = size if isinstance(size, Mapping) else {"shortest_edge": size}
    if "height" in size:
        return {"size_px": size["height"], "resize": "squash"}
    shortest = size["shortest_edge"]
    if "crop_pct" in said:
        crop_pct = said["crop_pct"] or 224 / 256
        if shortest >= CROP_BELOW_PX:
            return {"size_px": shortest, "resize": "squash"}
        return {"size_px": shortest, "resize": "shortest-edge", "resize_px": int(shortest / crop_pct)}
    crop = said.get("crop_size", shortest) if said.get("do_center_crop", True) else shortest
    crop = crop["height"] if isinstance(crop, Mapping) else crop
    return {"size_px": crop, "resize": "shortest-edge", "resize_px": shortest}


def image_pool(config: Mapping[str, Any]) -> str:
    """Return how a vision model without a text side makes one vector of a picture: `none` where its own pooler averages."""
    return "none" if config.get("model_type") in ("resnet", "convnext", "convnextv2", "regnet") else "cls"


def text_table(folder: Path, config: Mapping[str, Any]) -> Table:
    """Return how texts are prepared: tokenizer_file, context and, where all are filled up to that, with what."""
    inner = config.get("text_config", config)
    long = inner.get("max_position_embeddings", 512)
    # RoBERTa counts positions from after the one of padding.
    long -= 2 if inner.get("model_type", "") in ("roberta", "xlm-roberta", "mpnet") else 0
    lengths = [
        long,
        _json(folder / "sentence_bert_config.json").get("max_seq_length"),
        _json(folder / "tokenizer_config.json").get("model_max_length"),
    ]
    table: Table = {
        "tokenizer": "file",
        "tokenizer_file": TOKENIZER,
        "context": int(min(length for length in lengths if length)),
    }
    if str(config.get("model_type", "")).startswith("siglip"):
        pad = _json(folder / "tokenizer_config.json").get("pad_token", "")
        table |= {"pad_to": "context", "pad": pad["content"] if isinstance(pad, Mapping) else pad}
        # As transformers' tokenizers do before their vocabulary is asked, and the files of some do not.
        table |= {"lowercase": True, "punctuation": config["model_type"] != "siglip"}
    return table


def text_pool(folder: Path) -> str:
    """Return how a language model makes one vector of a text: as sentence-transformers was told, else by the mean."""
    return "cls" if _json(folder / "1_Pooling" / "config.json").get("pooling_mode_cls_token") else "mean"


def tokenizer(folder: Path, out: Path) -> Path:
    """Put the tokenizer's file into `out`, made from the older files where there is no `tokenizer.json`; return its path."""
    made = out / TOKENIZER
    if (folder / TOKENIZER).is_file():
        made.write_bytes((folder / TOKENIZER).read_bytes())
        return made
    from transformers import AutoTokenizer

    if not any((folder / file).is_file() for file in VOCABULARIES):  # it would make one that knows no word
        raise _no_tokenizer(folder)
    try:
        read = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        read.backend_tokenizer.save(str(made))
    except (OSError, ValueError, AttributeError) as error:
        raise _no_tokenizer(folder) from error
    return made


def _no_tokenizer(folder: Path) -> InputError:
    return InputError(
        f"{folder} has no {TOKENIZER}, and none can be made of its files",
        hint="Copy it from where the weights come from.",
        code=CODE,
    )


def config_of(folder: Path) -> dict[str, Any]:
    """Return what `config.json` says, {} where there is none."""
    return _json(folder / "config.json")


def licence_of(folder: Path) -> str:
    """Return the licence that the head of the folder's README names, "unknown" without one."""
    readme = folder / "README.md"
    head = readme.read_text("utf-8", errors="replace")[:4000] if readme.is_file() else ""
    found = re.search(r"^license:\s*[\"']?([\w.+-]+)", head, re.MULTILINE)
    return found[1] if found else "unknown"


def name_of(source: str) -> str:
    """Return what to call a model of this source: the last step of its path, of letters that a preset's name may have."""
    return LETTERS.sub("-", source.rstrip("/").rpartition("/")[2]).strip("-").lower() or "model"


def _json(file: Path) -> dict[str, Any]:
    """Read a file that may be missing."""
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{file} cannot be read: {error}", hint="It must be a JSON object.", code=CODE
        ) from None
