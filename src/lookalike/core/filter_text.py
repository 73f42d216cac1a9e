"""The text form of filters, for people: `price < 50 and brand in ("Nike", "Puma") and not color = "red"`.

Words are case-insensitive; `and` binds closer than `or`. Strings stand in double or single quotes, a quote inside is doubled.
Dates are bare: `added >= 2026-01-31`. A column name with odd characters stands in back-quotes, doubled inside as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from lookalike.core.errors import FilterError
from lookalike.core.filters import (
    MAX_DEPTH,
    OPERATORS,
    And,
    Compare,
    Filter,
    Not,
    Or,
    compare,
    parse_date,
    unknown_column,
)

_TOKENS = re.compile(
    r"""\s*(?:
      (?P<date>\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)
    | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<string>"(?:[^"]|"")*"|'(?:[^']|'')*')
    | (?P<name>`(?:[^`]|``)+`|[^\W\d][\w.]*)
    | (?P<symbol><=|>=|!=|<>|==|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_KEYWORDS = frozenset(["and", "or", "not", "in", "between", "contains", "prefix", "exists", "true", "false"])
_SIGNS: Mapping[str, str] = {"&": "and", "|": "or", "!": "not"}
"""What people used to other languages write; told, not taken, so that there is one way to write a filter."""
_SYNONYMS: Mapping[str, str] = {"==": "=", "<>": "!="}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # date, number, string, name, word (a keyword), symbol or end
    text: str
    start: int


def parse(text: str, columns: Collection[str] | None = None) -> Filter:
    """Read a filter; raise FilterError pointing at the place. With `columns`, unknown names are refused as well."""
    parser = _Parser(text, columns)
    tree = parser.either(0)
    if parser.token.kind != "end":
        parser.fail("expected 'and', 'or' or the end")
    return tree


def _tokenise(text: str) -> list[_Token]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        found = _TOKENS.match(text, at)
        if found is None or found.lastgroup is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise _error(text, start, "cannot read this", _remedy(text[start:]))
        kind, word = found.lastgroup, found.group(found.lastgroup)
        if kind == "name" and word.lower() in _KEYWORDS:
            kind, word = "word", word.lower()
        tokens.append(_Token(kind, word, found.start(found.lastgroup)))
        at = found.end()
    return [*tokens, _Token("end", "the end", len(text))]


def _remedy(rest: str) -> str:
    """Say what to write where the text cannot be read on."""
    word = next((word for signs, word in _SIGNS.items() if rest.startswith(signs)), None)
    return f"Use {word}." if word else "Strings stand in quotes, dates look like 2026-01-31."


def _error(text: str, position: int, message: str, hint: str) -> FilterError:
    """Draw the place under the text, as compilers do."""
    line = re.sub(r"\s", " ", text)  # one for one, so that the place stays under it
    return FilterError(f"{message}\n  {line}\n  {' ' * position}^", hint=hint, position=position)


class _Parser:
    """Recursive descent over the tokens; each method reads one level of binding."""

    def __init__(self, text: str, columns: Collection[str] | None) -> None:
        self.text = text
        self.columns = columns
        self.tokens = _tokenise(text)
        self.at = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def take(self, *wanted: str) -> bool:
        """Step over the next token if it is one of these words or symbols."""
        if self.token.kind in ("word", "symbol") and self.token.text in wanted:
            self.at += 1
            return True
        return False

    def fail(self, message: str, at: _Token | None = None) -> NoReturn:
        columns = f" Columns: {', '.join(sorted(self.columns))}." if self.columns else ""
        hint = f'Such as: price < 50 and brand in ("A", "B").{columns}'
        token = at or self.token
        raise _error(self.text, token.start, f"{message}, not {token.text!r}", hint)

    def either(self, depth: int) -> Filter:
        filters = [self.both(depth)]
        while self.take("or"):
            filters.append(self.both(depth))
        return filters[0] if len(filters) == 1 else Or(tuple(filters))

    def both(self, depth: int) -> Filter:
        filters = [self.one(depth)]
        while self.take("and"):
            filters.append(self.one(depth))
        return filters[0] if len(filters) == 1 else And(tuple(filters))

    def one(self, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            self.fail(f"brackets nested deeper than {MAX_DEPTH}")
        if self.take("not"):
            return Not(self.one(depth + 1))
        if self.take("("):
            tree = self.either(depth + 1)
            if not self.take(")"):
                self.fail("expected ')'")
            return tree
        return self.comparison()

    def comparison(self) -> Filter:
        token = self.token
        if token.kind != "name":
            self.fail("expected a column name")
        self.at += 1
        name = token.text[1:-1].replace("``", "`") if token.text[0] == "`" else token.text
        if self.columns is not None and name not in self.columns:
            error = unknown_column(name, self.columns)
            raise _error(self.text, token.start, str(error), error.hint)
        operator_token = self.token
        operator = self.operator()
        try:
            return compare(name, operator, self.operand(OPERATORS[operator].operand))
        except FilterError as error:
            if error.position is not None:
                raise
            raise _error(self.text, operator_token.start, str(error), error.hint) from None

    def operator(self) -> str:
        if self.take("not"):
            if not self.take("in"):
                self.fail("expected 'in' after 'not'")
            return "not in"
        name = _SYNONYMS.get(self.token.text, self.token.text)
        if self.token.kind not in ("word", "symbol") or name not in OPERATORS:
            self.fail(f"expected an operator ({' '.join(OPERATORS)})")
        self.at += 1
        return name

    def operand(self, kind: str) -> object:
        if kind == "none":
            return None
        if kind == "list":
            return self.listing()
        if kind == "pair":
            low = self.value()
            if not self.take("and"):
                self.fail("expected 'and' between the two ends")
            return (low, self.value())
        return self.value()

    def listing(self) -> tuple[object, ...]:
        if not self.take("("):
            self.fail("expected a list in brackets")
        values: list[object] = []
        while not self.take(")"):
            values.append(self.value())
            if not self.take(",") and self.token.text != ")":
                self.fail("expected ',' or ')'")
        return tuple(values)

    def value(self) -> object:
        token = self.token
        self.at += 1
        if token.kind == "number":
            return float(token.text)
        if token.kind == "string":
            quote = token.text[0]
            return token.text[1:-1].replace(quote * 2, quote)
        if token.kind == "date":
            try:
                return parse_date(token.text)
            except FilterError as error:
                raise _error(self.text, token.start, str(error), error.hint) from None
        if token.kind == "word" and token.text in ("true", "false"):
            return token.text == "true"
        self.at -= 1
        return self.fail("expected a number, text in quotes, a date, true or false")


# --- writing --------------------------------------------------------------------------------------------------------


def to_text(filter_: Filter) -> str:
    """Write the text form; `parse` reads it back to an equal tree.

    An `and` or `or` of one reads as that one; an empty one has no text.
    """
    match filter_:
        case And(filters):
            return _join(" and ", filters)
        case Or(filters):
            return _join(" or ", filters)
        case Not(inner):
            return f"not {_bracketed(inner)}"
        case Compare(field, operator, operand):
            plain = re.fullmatch(r"[^\W\d][\w.]*", field) and field.lower() not in _KEYWORDS
            name = field if plain else f"`{field.replace('`', '``')}`"
            return f"{name} {operator}{_operand_text(operator, operand)}"


def _join(word: str, filters: tuple[Filter, ...]) -> str:
    return word.join(_bracketed(f) for f in filters)


def _bracketed(filter_: Filter) -> str:
    return f"({to_text(filter_)})" if isinstance(filter_, And | Or) else to_text(filter_)


def _operand_text(operator: str, operand: Any) -> str:
    match OPERATORS[operator].operand:
        case "none":
            return ""
        case "list":
            return f" ({', '.join(_literal(v) for v in operand)})"
        case "pair":
            return f" {_literal(operand[0])} and {_literal(operand[1])}"
    return f" {_literal(operand)}"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    if isinstance(value, datetime):
        return value.isoformat()
    return repr(float(value))
