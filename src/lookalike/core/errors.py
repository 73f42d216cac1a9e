"""Every error a person can meet, drawn as one tree.

    LookalikeError
    ├── InputError             something given to us is wrong
    │   ├── ImageError         bytes that are not a usable picture
    │   ├── FetchError         an image that could not be got from its path or URL
    │   ├── SourceError        a catalogue file, folder or query that cannot be read
    │   ├── RowError           one row or one field of a source
    │   ├── FilterError        a filter's syntax or a column it does not know (carries the position)
    │   ├── QueryError         a query that asks for nothing, or for something that is not there
    │   └── VectorError        NaN, zero or wrongly shaped vectors
    ├── LimitError             a named limit was passed
    ├── Overloaded             too much waits already; says when to come again
    ├── EncoderMismatch        an index made by another encoder
    ├── CatalogError           the database: missing, full, locked, of another schema
    └── MissingExtra           an optional dependency is not installed

An error says what is wrong (`str(error)`) and what to do (`error.hint`, which stands below it in a traceback); `error.code` is
stable and for programs.
"""

from __future__ import annotations

import math
from typing import Any


class LookalikeError(Exception):
    """Base of every error raised on purpose; `hint` is the remedy, a whole sentence."""

    code = "error"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if hint:  # whoever lets it end in a traceback is told what to do as well (PEP 678)
            self.add_note(hint)
        if code is not None:
            self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by what it holds: some errors cannot be made from their message alone."""
        return _remade, (type(self), *self.args), self.__dict__


def _remade(kind: type[LookalikeError], *args: object) -> LookalikeError:
    return kind.__new__(kind, *args)


class InputError(LookalikeError):
    """Something given to us is wrong."""

    code = "input"


class ImageError(InputError):
    """Bytes that cannot become a picture."""

    code = "image"


class FetchError(InputError):
    """An image reference whose bytes could not be got."""

    code = "fetch"


class SourceError(InputError):
    """A source of products that cannot be opened or read on."""

    code = "source"


class RowError(InputError):
    """One row, or one field of it, that cannot be used."""

    code = "row"


class FilterError(InputError):
    """A filter that cannot be read or that names an unknown column.

    `position` is the 0-based offset into the text form, or None for the JSON form.
    """

    code = "filter"

    def __init__(self, message: str, *, hint: str = "", position: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.position = position


class QueryError(InputError):
    """A query that asks for nothing, or for something that is not there."""

    code = "query"


class VectorError(InputError):
    """Vectors of a wrong shape, or with NaN, infinite or zero rows."""

    code = "vector"


class LimitError(LookalikeError):
    """A named limit was passed."""

    code = "limit"

    def __init__(self, limit: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint or f"Raise the setting {limit} if this is meant.")
        self.limit = limit


class Overloaded(LookalikeError):  # noqa: N818
    """More waits already than can be done in time; `retry_after_s` is when it is worth asking again."""

    code = "overloaded"

    def __init__(
        self, message: str, *, retry_after_s: float, hint: str = "", code: str | None = None
    ) -> None:
        super().__init__(message, hint=hint or f"Ask again in {math.ceil(retry_after_s)} s.", code=code)
        self.retry_after_s = retry_after_s


class EncoderMismatch(LookalikeError):  # noqa: N818 - it reads better where it is caught
    """The catalogue was embedded by another encoder than the one asked for."""

    code = "encoder_mismatch"


class CatalogError(LookalikeError):
    """The catalogue database cannot be used."""

    code = "catalog"


class MissingExtra(LookalikeError):  # noqa: N818
    """An optional dependency is not installed; the hint ends in the install line."""

    code = "missing_extra"
