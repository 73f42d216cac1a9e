"""Numbers and prices as people write them: "1.299,00 €", "$1,299.00", "3,2 %"."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from lookalike.core.errors import RowError
from lookalike.core.values import MAX_INT_BITS, NULL_WORDS, clean, is_missing, plain, shown

_CODES: Final = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP
    CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS
    INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK
    SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD
    XOF XPF YER ZAR ZMW ZWG"""
CODES: Final = frozenset(_CODES.split())
"""ISO 4217: the codes of national currencies in use."""
SYMBOLS: Final[Mapping[str, str | None]] = {
    **{
        "€": "EUR",
        "£": "GBP",
        "₹": "INR",
        "₩": "KRW",
        "₽": "RUB",
        "₺": "TRY",
        "₫": "VND",
        "₪": "ILS",
        "₴": "UAH",
        "₱": "PHP",
    },
    **{
        "฿": "THB",
        "₦": "NGN",
        "₸": "KZT",
        "₾": "GEL",
        "ZŁ": "PLN",
        "KČ": "CZK",
        "FT": "HUF",
        "R$": "BRL",
        "EURO": "EUR",
    },
    **{
        "US$": "USD",
        "USD$": "USD",
        "C$": "CAD",
        "CA$": "CAD",
        "A$": "AUD",
        "AU$": "AUD",
        "NZ$": "NZD",
        "HK$": "HKD",
    },
    **{"S$": "SGD", "NT$": "TWD", "MX$": "MXN", "SFR": "CHF", "FR": "CHF"},
    **dict.fromkeys(
        ("$", "¥", "KR", "RS"), None
    ),  # used by several countries: the amount is read, the currency is not
}
_PRICE: Final = re.compile(r"([^\d.,+\-]*)([+-]?[\d.,](?:[\d.,']*[\d.,])?)([^\d.,+\-]*)")
_SPACES: Final = re.compile(r"(?<=\d)[\s\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_NO_CENTS: Final = re.compile(r"[.,](?:-+|–|—)(?=\s|$)")
_GROUPS: Final = re.compile(r"\d{1,3}(?:,\d{3})+")
_OUT_OF_FIVE: Final = re.compile(r"\s*(?:/|out of)\s*5(?:\.0)?(?:\s*stars?)?$", re.IGNORECASE)
_LONGEST: Final = 100
_HOW: Final = "Write prices as plain numbers with a point, such as 1299.00."


def figure(digits: str, machine: bool = False) -> float:
    """Read digits with separators in either style; the last of two different separators is the decimal one.

    One separator before exactly three digits may be either, and is refused: "1,299" always, "1.299" unless `machine`.
    """
    sign, digits = (-1.0, digits[1:]) if digits.startswith("-") else (1.0, digits.removeprefix("+"))
    digits = digits.replace("'", "").replace("’", "")
    point, comma = digits.count("."), digits.count(",")
    if point and comma:
        decimal, group = (".", ",") if digits.rfind(".") > digits.rfind(",") else (",", ".")
    elif point + comma == 1:
        decimal, group = ("." if point else ","), ""
        _refuse_ambiguous(digits, decimal, machine and point == 1)
    else:
        decimal, group = "", "." if point else ","
    return sign * _number(digits, decimal, group)


def _refuse_ambiguous(digits: str, decimal: str, machine: bool) -> None:
    whole, _, rest = digits.partition(decimal)
    if len(rest) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0") and not machine:
        small, large = f"{whole}.{rest}", whole + rest
        raise RowError(
            f'"{digits}" may be {small} or {large}',
            hint=f"Write {small} or {large}, without a thousands separator.",
        )


def _number(digits: str, decimal: str, group: str) -> float:
    whole, _, rest = digits.rpartition(decimal) if decimal else (digits, "", "")
    if group and group in whole:
        if not _GROUPS.fullmatch(whole.replace(group, ",")):
            raise RowError(f'"{digits}" is not a number', hint=_HOW)
        whole = whole.replace(group, "")
    if not f"{whole}{rest}".isascii() or not f"{whole}{rest}".isdigit():
        raise RowError(f'"{digits}" is not a number', hint=_HOW)
    return float(f"{whole or 0}.{rest or 0}")


def _figures(words: str, what: str) -> str:
    """Return a text that may be a number, cleaned; a long one is none, and not worth looking through."""
    if len(words) > _LONGEST:
        raise RowError(f"{shown(words)} is not a {what}", hint="Write a number, or leave the cell empty.")
    return clean(words)


def number(value: object) -> float | None:
    """Read a finite number from a number or a text, None when missing."""
    value = plain(value)
    if is_missing(value) or (isinstance(value, str) and clean(value).lower() in NULL_WORDS):
        return None
    if isinstance(value, str):
        return _finite(_figure_or_scientific(_figures(value, "number")))
    return _finite(_plain_number(value))


def _plain_number(value: object) -> float:
    if isinstance(value, list | tuple) and len(value) == 1:
        value = plain(value[0])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(f"{shown(value)} is not a number", hint="Write a number, or leave the cell empty.")
    if isinstance(value, int) and value.bit_length() >= MAX_INT_BITS:
        raise RowError("is too large a number", hint="Check how the file was written.")
    return float(value)


def _figure_or_scientific(words: str) -> float:
    try:
        return float(words) if words.isascii() and "_" not in words else figure(words)
    except ValueError:
        return figure(words.replace(" ", ""))


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise RowError("is not a finite number", hint="Write a number, or leave the cell empty.")
    return value


def price(value: object) -> tuple[float | None, str | None]:
    """Read an amount >= 0 and, where it is written with one, its currency code.

    Unlike other numbers a NaN is refused, not missing: a shop without a price wants to know.
    """
    value = plain(value)
    if isinstance(value, float) and math.isnan(value):
        raise RowError("is NaN", hint="Write a number, or leave the cell empty.")
    if is_missing(value):
        return None, None
    amount, currency = (
        _written(_figures(value, "price"))
        if isinstance(value, str)
        else (_finite(_plain_number(value)), None)
    )
    if amount < 0:
        raise RowError(f"{shown(value)} is negative", hint="Write a price of 0 or more.")
    return _finite(amount), currency


def _written(words: str) -> tuple[float, str | None]:
    simple = _SPACES.sub("", words.replace("−", "-"))
    match = _PRICE.fullmatch(_NO_CENTS.sub("", simple).strip())
    if match is None:
        raise RowError(f"{shown(words)} is not a price", hint=_HOW)
    before, digits, after = match.groups()
    marks = [mark for mark in (_mark(before), _mark(after)) if mark]
    known = {SYMBOLS.get(mark, mark) for mark in marks if mark in SYMBOLS or mark in CODES}
    if len(known - {None}) > 1 or any(mark not in SYMBOLS and mark not in CODES for mark in marks):
        raise RowError(f"{shown(words)} is not a price", hint=_HOW)
    return figure(digits, machine=not marks), next(iter(known - {None}), None)


def _mark(words: str) -> str:
    return words.strip(" .:\u00a0\u2009\u202f\t").upper()


def currency(value: object) -> str | None:
    """Read a currency as its ISO 4217 code, None when missing; "€" is EUR, "$" is refused as it may be many."""
    value = plain(value)
    if is_missing(value):
        return None
    if isinstance(value, str):
        mark = _mark(clean(value))
        code = SYMBOLS.get(mark, mark)
        if code and len(code) == 3 and code.isascii() and code.isalpha():
            return code
    raise RowError(
        f"{shown(value)} is not a currency", hint="Write the three letters of ISO 4217, such as EUR or USD."
    )


def popularity(value: object) -> float | None:
    """Read a number >= 0, None when missing."""
    found = number(value)
    if found is not None and found < 0:
        raise RowError(f"{shown(value)} is negative", hint="Write 0 or more; more is more popular.")
    return found


def rating(value: object) -> float | None:
    """Read a mean rating of 0 to 5, also as "4.5/5" or "4.5 out of 5", None when missing."""
    value = plain(value)
    found = number(_OUT_OF_FIVE.sub("", _figures(value, "rating")) if isinstance(value, str) else value)
    if found is not None and not 0 <= found <= 5:
        raise RowError(f"{shown(value)} is outside 0 to 5", hint="Write ratings on a scale of 0 to 5.")
    return found


def conversion_rate(value: object) -> float | None:
    """Read a share of 0 to 1, also as "3.2%", None when missing."""
    value = plain(value)
    words = _figures(value, "share") if isinstance(value, str) else ""
    found = number(words.removesuffix("%").rstrip() if words else value)
    if found is not None and words.endswith("%"):
        found /= 100
    if found is not None and not 0 <= found <= 1:
        raise RowError(f"{shown(value)} is outside 0 to 1", hint="Write a share such as 0.032, or 3.2%.")
    return found
