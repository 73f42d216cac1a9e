"""`lookalike models export`: a model's torch weights into the files that run without torch."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from lookalike import wiring
from lookalike.core.errors import InputError
from lookalike.core.types import content_hash
from lookalike.settings import load_settings, models_folder

if TYPE_CHECKING:
    from lookalike.core.types import Pixels

MOST: Final = 640
"""Pictures and titles taken of a shop: some to find scales by, the others to measure what is lost."""
CHANGES_AT_ONCE: Final = 500


def export(
    source: Annotated[
        str,
        typer.Argument(
            help="A model's name, the .toml of one, a folder of a transformers model, or its OWNER/NAME on the hub."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.")],
    int8: Annotated[bool, typer.Option("--int8", help="Also write it in 8-bit whole numbers.")] = False,
    calibrate: Annotated[
        str | None, typer.Option(help="The shop whose pictures and titles --int8 finds its scales by.")
    ] = None,
    name: Annotated[str, typer.Option(help="What to call it; by default what SOURCE is called.")] = "",
) -> None:
    """Write a model's torch weights as ONNX graphs with their TOML, and check them against torch.

    Needs the extra `torch`. What it writes does not: pass the .toml as --encoder. Nothing is downloaded: weights are looked for
    in the folder of models and in the cache of the hub's client.

    --int8 makes a second model of a quarter to half the size, and prints what that loses on pictures and titles of the shop.

    Examples:

      lookalike models export clip-vit-b32 --out my-clip

      lookalike models export ./fine-tuned-clip --out my-clip --int8 --calibrate shop.db
    """
    if int8 and calibrate is None:
        raise InputError(
            "--int8 finds its scales by pictures of the kind it will see, and there are none",
            hint="Add --calibrate SHOP, the catalogue of a shop.",
        )
    places = [Path(), models_folder(load_settings())]
    preset = wiring.model_presets().get(source)
    console = Console(highlight=False)

    def say(text: str) -> None:
        console.print(escape(text), soft_wrap=True)

    pictures, titles = _samples(calibrate) if int8 and calibrate else ([], [])
    made = wiring.load("lookalike.adapters.model_export:export_model")(
        str(preset or source), out, places=places, name=name, say=say
    )
    for kind, cosine in made.cosines.items():
        say(f"{kind}: least cosine to torch {cosine:.6f}")
    say(f"wrote {made.preset}")
    if int8:
        small, lost = wiring.load("lookalike.adapters.model_export_int8:quantise")(
            made.preset, pictures, titles, say
        )
        for kind, loss in lost.items():
            say(
                f"{kind}: int8 on {loss.count:,} of the shop's: cosine to float32 {loss.mean_cosine:.4f} (least"
                f" {loss.least_cosine:.4f}), {loss.overlap:.1%} of the ten nearest stay"
            )
        say(f"wrote {small}")
    say(f"Try it: lookalike index SOURCE --encoder {made.preset}")


def _samples(place: str) -> tuple[list[Pixels], list[str]]:
    """Return thumbnails and titles of a shop, those of products spread over all of it."""
    from lookalike.core.images import ImageLimits, decode  # Pillow takes its time to load

    with closing(wiring.open_catalog(place, create=False)) as catalog:
        hashes: dict[str, None] = {}
        titles: dict[str, None] = {}
        after = 0
        while changes := catalog.changes(after, CHANGES_AT_ONCE):
            for product in (change.product for change in changes if change.product is not None):
                hashes |= dict.fromkeys(i.content_hash for i in product.images[:1] if i.content_hash)
                titles |= {product.title: None} if product.title else {}
            after = changes[-1].seq
        found = (catalog.thumbnail(digest) for digest in _spread(list(hashes)))
        pictures = [decode(data, ImageLimits()) for data in found if data is not None]
        return pictures, _spread(list(titles))


def _spread(values: list[str]) -> list[str]:
    """Return at most MOST values, mixed the same way each time: neighbours in a catalogue are alike."""
    return sorted(values, key=content_hash)[:MOST]
