"""Which encoder makes the vectors of which space: one for all, or one for pictures and another for texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from lookalike.core.errors import InputError
from lookalike.core.ports import Encoder
from lookalike.core.types import DESCRIPTION, IMAGE, TITLE

EMBEDDED = (IMAGE, TITLE, DESCRIPTION)
TEXTS = (TITLE, DESCRIPTION)


@dataclass(frozen=True, slots=True, eq=False)
class Encoders:
    """`main` embeds pictures, if it sees, and without `texts` also titles and descriptions, if it reads.

    `texts` embeds titles and descriptions in its place. Spaces of different encoders may have vectors of different lengths;
    a space without encoder has none. `learned` ends the names of the artifacts that were learned from these vectors.
    """

    main: Encoder
    texts: Encoder | None = None
    learned: str = ""

    def __post_init__(self) -> None:
        """Refuse encoders that cannot do what they are named for (InputError)."""
        if self.texts is not None and not self.texts.reads:
            raise InputError(
                f"the encoder {self.texts.name} does not read: it cannot embed texts",
                hint="Name one that reads as the text encoder, or leave it out.",
            )
        if self.texts is not None and not self.main.sees:
            raise InputError(
                f"the encoder {self.main.name} sees no pictures, and texts are to be embedded by {self.texts.name}",
                hint=f"Name one that sees as the encoder, or only {self.texts.name}.",
            )

    @property
    def by_space(self) -> dict[str, Encoder]:
        """Return who embeds each space; spaces that nobody embeds are left out."""
        found: dict[str, Encoder] = {IMAGE: self.main} if self.main.sees else {}
        reader = self.texts or (self.main if self.main.reads else None)
        return found if reader is None else found | dict.fromkeys(TEXTS, reader)

    @property
    def phrases(self) -> dict[str, Encoder]:
        """Return who embeds a phrase to be looked for in each space: in that of pictures only an aligned encoder."""
        texts = {space: encoder for space, encoder in self.by_space.items() if space != IMAGE}
        looks = self.main.sees and self.main.reads and self.main.aligned
        return ({IMAGE: self.main} if looks else {}) | texts

    @property
    def each(self) -> tuple[Encoder, ...]:
        """The distinct encoders, `main` first."""
        return (self.main,) if self.texts is None else (self.main, self.texts)

    @property
    def fingerprints(self) -> dict[str, str]:
        """Return whose vectors each embedded space has."""
        return {space: encoder.fingerprint for space, encoder in self.by_space.items()}

    @property
    def signature(self) -> str:
        """All of them as one string: it changes whenever an equal input could give another vector in some space."""
        return signature_of(self.fingerprints)

    def dim(self, space: str) -> int:
        """Return the length of the vectors of an embedded space; where nobody makes any, that of `main`."""
        return self.by_space.get(space, self.main).dim

    def wrapped(self, wrap: Callable[[Encoder], Encoder]) -> Encoders:
        """Return the same with each encoder put behind another."""
        return replace(self, main=wrap(self.main), texts=None if self.texts is None else wrap(self.texts))

    def __str__(self) -> str:
        """Say their names."""
        return self.main.name if self.texts is None else f"{self.main.name} with {self.texts.name} for texts"


def signature_of(fingerprints: Mapping[str, str]) -> str:
    """Return the encoders of all spaces as one string, for `Record.embedded`."""
    return ";".join(f"{space}={fingerprint}" for space, fingerprint in fingerprints.items())
