"""JSON that strangers send: how much there is in it is looked at before any of it is made."""

from __future__ import annotations

from typing import Any, Final

import orjson

from lookalike.service.errors import Refused

_SIGNS: Final = (b",", b"[", b"{")


def check_values(text: bytes | bytearray, most: int) -> None:
    """Raise Refused (413) for JSON that may hold more than `most` values.

    A value of two bytes takes fifty in memory, and its checking, if it is wrong, a thousand and 40 µs. Before each stands a
    comma or an opening bracket, so those are counted, in texts as well; a photo in base64 has none.
    """
    if len(text) > most and sum(map(text.count, _SIGNS)) > most:
        raise Refused(
            413,
            "limit",
            f"the JSON holds more than {most:,} values, counted by commas and opening brackets",
            hint="Send less at a time, products one per line; or raise the setting service.max_json_values.",
            field="service.max_json_values",
        )


def read_json(text: bytes, most: int) -> Any:
    """Return what JSON says; raise Refused for too much of it, orjson.JSONDecodeError for what is none."""
    check_values(text, most)
    return orjson.loads(text)
