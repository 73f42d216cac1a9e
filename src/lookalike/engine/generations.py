"""Who made the vectors of a catalogue: its artifact "encoder", which also holds a second generation beside the first.

The artifact is one JSON object, so that any change of it is atomic. What a catalogue of one encoder says in it is all that
earlier versions knew: {"name": ..., "fingerprint": ...}.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from lookalike.core.errors import EncoderMismatch
from lookalike.core.ports import Encoder
from lookalike.core.types import DESCRIPTION, IMAGE, TITLE, content_hash
from lookalike.engine.encoders import Encoders

ARTIFACT = "encoder"
Stage = Literal["next", "former"]


@dataclass(frozen=True, slots=True)
class MadeBy:
    """An encoder as a catalogue remembers it."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Generation:
    """The encoders of one set of vectors, as `Encoders` has them."""

    main: MadeBy
    texts: MadeBy | None = None
    learned: str = ""

    def __str__(self) -> str:
        """Say their names and fingerprints."""
        said = f"{self.main.name} ({self.main.fingerprint})"
        return (
            said
            if self.texts is None
            else f"{said} with {self.texts.name} ({self.texts.fingerprint}) for texts"
        )

    @property
    def by_space(self) -> dict[str, str]:
        """Return whose vectors each space has, if it has any."""
        main, texts = self.fingerprints
        return {IMAGE: main, TITLE: texts, DESCRIPTION: texts}

    @property
    def fingerprints(self) -> tuple[str, str]:
        """Who made it, whatever they are called and whatever was learned from it."""
        return self.main.fingerprint, (self.texts or self.main).fingerprint


@dataclass(frozen=True, slots=True)
class Generations:
    """What is searched (`live`), and the second generation, if any: the `next` one, or the `former` one after a cut-over.

    `reembedded` says that `live` was begun by embedding anew, in place: who still searches another one is left alone.
    """

    live: Generation
    beside: Generation | None = None
    stage: Stage = "next"
    reembedded: bool = False

    @classmethod
    def from_bytes(cls, data: bytes) -> Generations:
        """Read the artifact."""
        held = json.loads(data)
        beside = held.get("beside")
        return cls(
            _generation(held),
            None if beside is None else _generation(beside),
            "next" if beside is None else beside["stage"],
            bool(held.get("reembedded", False)),
        )

    def to_bytes(self) -> bytes:
        """Write the artifact."""
        said = _said(self.live)
        if self.beside is not None:
            said["beside"] = _said(self.beside) | {"stage": self.stage}
        return json.dumps(said | ({"reembedded": True} if self.reembedded else {})).encode()

    def swapped(self, stage: Stage) -> Generations:
        """Return the same with the second generation live, and the one that was beside it at this stage."""
        if self.beside is None:
            return self
        return Generations(self.beside, self.live, stage)

    def alone(self) -> Generations:
        """Return the same without the second generation."""
        return replace(self, beside=None)


class Shelf:
    """Encoders by what catalogues call them. Each is loaded once; those given as objects need not be loadable by name."""

    def __init__(self, load: Callable[[str], Encoder], given: Iterable[Encoder] = ()) -> None:
        self._load = load
        self._held = {encoder.fingerprint: encoder for encoder in given}
        self._called: dict[str, str] = {}

    def named(self, chosen: str | Encoder) -> Encoder:
        """Return an encoder by name, or as it was given."""
        encoder = self._load(chosen) if isinstance(chosen, str) else chosen
        if isinstance(chosen, str):
            self._called[encoder.fingerprint] = _from_anywhere(chosen)
        return self._held.setdefault(encoder.fingerprint, encoder)

    def remembered(self, encoders: Encoders) -> Generation:
        """Return how a catalogue remembers these encoders: by what they are loaded by."""
        main, texts = encoders.main, encoders.texts
        return Generation(
            self._remembered(main), None if texts is None else self._remembered(texts), encoders.learned
        )

    def _remembered(self, encoder: Encoder) -> MadeBy:
        return MadeBy(self._called.get(encoder.fingerprint, encoder.name), encoder.fingerprint)

    def __call__(self, generation: Generation) -> Encoders:
        """Return the encoders of a generation; raise EncoderMismatch if what has their names now is something else."""
        texts = None if generation.texts is None else self._made_by(generation.texts)
        return Encoders(self._made_by(generation.main), texts, generation.learned)

    def _made_by(self, made_by: MadeBy) -> Encoder:
        if made_by.fingerprint in self._held:
            return self._held[made_by.fingerprint]
        encoder = self.named(made_by.name)
        if encoder.fingerprint != made_by.fingerprint:
            raise EncoderMismatch(
                f"the catalogue was made with the encoder {made_by.name} ({made_by.fingerprint}), and the one that is called "
                f"{encoder.name} here is {encoder.fingerprint}",
                hint="Install the version of lookalike, or of the model, that the catalogue was made with.",
            )
        return encoder


def _from_anywhere(name: str) -> str:
    """Return the name of an encoder; the path of a .toml in it in full, after what runs it: "torch:/models/small.toml"."""
    if not name.endswith(".toml"):
        return name
    kind, colon, _ = name.partition(":")
    runner = kind + colon if colon and len(kind) > 1 else ""  # C:/models/small.toml has a colon of its own
    return runner + str(Path(name.removeprefix(runner)).resolve())


def generation_of(encoders: Encoders) -> Generation:
    """Return these encoders by their own names."""
    main, texts = encoders.main, encoders.texts
    return Generation(
        MadeBy(main.name, main.fingerprint),
        None if texts is None else MadeBy(texts.name, texts.fingerprint),
        encoders.learned,
    )


def learned_suffix(generation: Generation) -> str:
    """Return what the artifacts learned from a generation made beside another are called by."""
    return ":" + content_hash(repr(generation.fingerprints))[:12]


def _generation(held: Mapping[str, Any]) -> Generation:
    texts = held.get("text")
    return Generation(
        MadeBy(held["name"], held["fingerprint"]),
        None if texts is None else MadeBy(texts["name"], texts["fingerprint"]),
        held.get("learned", ""),
    )


def _said(generation: Generation) -> dict[str, Any]:
    said: dict[str, Any] = {"name": generation.main.name, "fingerprint": generation.main.fingerprint}
    if generation.texts is not None:
        said["text"] = {"name": generation.texts.name, "fingerprint": generation.texts.fingerprint}
    return said | ({"learned": generation.learned} if generation.learned else {})


def chosen(
    shelf: Shelf,
    held: Generations | None,
    encoder: str | Encoder | None,
    text_encoder: str | Encoder | None,
    default: str,
) -> Encoders:
    """Return the encoders to open a catalogue with: those that are named, and for what is not, those it was made with.

    One that is named twice embeds everything.
    """
    live = None if held is None else held.live
    main = shelf.named(encoder if encoder is not None else live.main.name if live else default)
    if text_encoder is None and live is not None and live.texts is not None:
        text_encoder = live.texts.name
    texts = None if text_encoder is None else shelf.named(text_encoder)
    if texts is not None and texts.fingerprint == main.fingerprint:
        texts = None
    found = Encoders(main, texts)
    same = live is not None and live.fingerprints == generation_of(found).fingerprints
    return replace(found, learned=live.learned) if live is not None and same else found


def require_same(place: object, held: Generations, encoders: Encoders) -> None:
    """Raise EncoderMismatch, saying which it is, unless these encoders are those of the live generation."""
    asked = generation_of(encoders)
    for was, now, kind in (
        (held.live.main, asked.main, ""),
        (held.live.texts or held.live.main, asked.texts or asked.main, " for texts"),
    ):
        if was.fingerprint != now.fingerprint:
            texts = "" if encoders.texts is None else f" --text-encoder {encoders.texts.name}"
            raise EncoderMismatch(
                f"{place} was made with the encoder {was.name} ({was.fingerprint}){kind}, not with "
                f"{now.name} ({now.fingerprint})",
                hint=f"Embed it anew: lookalike index SOURCE --shop {place} --encoder {encoders.main.name}{texts} "
                f"--reembed",
            )
