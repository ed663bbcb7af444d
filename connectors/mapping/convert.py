"""Native values -> the model's plain types, strictly: what does not fit is absent, with a cause to remark.

Rule 1: a converter is built once for a field, and is a plain function of the native value.
Rule 2: nothing is evaluated, nothing formatted as a template; a cause never holds the value.
Rule 3: empty means not told: None comes out, and nothing is remarked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from functools import lru_cache
from typing import Any, get_args, get_origin

from connectors.mapping.rules import FieldRule
from connectors.seal import Seal, canonical, flaw, mask_number
from schema.model.codes import table
from schema.model.words import Date, DateTime, YearMonth

CHINA = timezone(timedelta(hours=8))
SERIAL_ZERO = datetime(1899, 12, 30)
EXACT = 1e15  # beyond it a spreadsheet's number has lost digits
LONGEST = 20_000  # characters of one value
MOST = 2_000  # items of one list

NOT_IN_CODES = "不在代码表中 / not in the code table"
NOT_NUMBER = "不是数字 / not a number"
NOT_WHOLE = "不是整数 / not a whole number"
NOT_DATE = "不是可识别的日期 / not a date that can be read"
NOT_BOOL = "不是“是/否” / neither yes nor no"
NOT_TEXT = "不是文本 / not text"
NOT_LIST = "不是列表 / not a list"
TOO_LONG = "过长 / too long"
LOST = "号码已被数字格式损坏，请将该列设为文本后重填 / number lost to a numeric format; store it as text"
NO_KEY = "缺少主键 / the key is missing"
PLAIN = "是个人号码，未声明 seal 或 mask / a person's number, neither sealed nor masked"

_WIDE = str.maketrans("０１２３４５６７８９．，－＋％\u3000\xa0", "0123456789.,-+%  ")  # fmt: skip
_LOST = re.compile(r"\d(?:\.\d+)?[eE]\+\d{2}")
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(万|亿|%)?")
_DAY = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})(?:\s*[-/.月]\s*(\d{1,2})?\s*日?)?"
    r"(?:[T\s]*(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?)?"
)
_TIMES = {"万": 10_000, "亿": 100_000_000, "%": 0.01}
_YES = {"是": True, "有": True, "y": True, "yes": True, "true": True, "1": True, "√": True, "t": True}
_NO = {"否": False, "无": False, "n": False, "no": False, "false": False, "0": False, "×": False, "f": False}


class Unfit(ValueError):
    """A native value that is none of ours; `cause` is for the source's owner and holds no value."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


Convert = Callable[[Any], Any]


def converter(rule: FieldRule, wanted: Any, own: Callable[[str], str], seal: Seal) -> Convert:
    """The function that turns a native value into a `wanted` by `rule`; it raises `Unfit`."""
    if get_origin(wanted) is list:
        return _many(rule, _one(rule, get_args(wanted)[0], own, seal))
    return _one(rule, wanted, own, seal)


def plain_text(value: Any) -> str | None:
    """A code, key or title; whole numbers without a point; None if empty; `Unfit` where digits are gone."""
    if value is None:
        return None
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _foreign(value)
    if isinstance(value, float) and (not math.isfinite(value) or abs(value) >= EXACT):
        raise Unfit(LOST)
    return str(int(value)) if value == int(value) else repr(value)


def _foreign(value: Any) -> str:
    """Text of what drivers hand over beside JSON's own types: decimals, UUIDs, dates."""
    if isinstance(value, bool | list | dict | bytes):
        raise Unfit(NOT_TEXT)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)


def _text(value: str) -> str | None:
    plain = value.strip()
    if len(plain) > LONGEST:
        raise Unfit(TOO_LONG)
    if _LOST.fullmatch(plain):
        raise Unfit(LOST)
    return plain or None


def number_of_person(value: Any) -> str | None:
    """An ID or roll number as text; `Unfit` where a numeric format has eaten digits after the fifteenth.

    A flawless ID may end in 000 (sequence x00, check 0): its owner could not mend it, so it is taken.
    """
    plain = plain_text(value)
    if plain is None:
        return None
    digits = canonical(plain)
    if len(digits) > 15 and digits.isdigit() and not digits[15:].strip("0") and flaw(digits):
        raise Unfit(LOST)
    return digits


@lru_cache(maxsize=64)
def shipped(name: str) -> dict[str, str]:
    """Chinese name or alias -> code of a shipped code table; empty for an unknown name."""
    rows = [row for row in table(name) if "code" in row]
    aliases = {alias: row["code"] for row in rows for alias in row.get("aliases", ())}
    return aliases | {
        row.get("zh") or row["name"]: row["code"] for row in rows if "zh" in row or "name" in row
    }


def codes_of(rule: FieldRule) -> dict[str, Any] | None:
    """The code map of a rule, whether written out or shipped."""
    return dict(shipped(rule.codes)) if isinstance(rule.codes, str) else rule.codes


def _many(rule: FieldRule, one: Convert) -> Convert:
    def convert(value: Any) -> Any:
        if isinstance(value, str):
            value = value.split(rule.split) if rule.split else [value]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            value = [value]
        if value is None:
            return None
        if not isinstance(value, list | tuple):
            raise Unfit(NOT_LIST)
        if len(value) > MOST:
            raise Unfit(TOO_LONG)
        return [item for item in map(one, value) if item is not None] or None

    return convert


def _one(rule: FieldRule, wanted: Any, own: Callable[[str], str], seal: Seal) -> Convert:
    if rule.seal:
        sealed = _then(number_of_person, seal.match_key)
        return _then(sealed, own) if rule.own else sealed
    if rule.mask:
        return _then(number_of_person, mask_number)
    if rule.own:
        return _then(plain_text, own)
    codes = codes_of(rule)
    if codes is not None:
        return _coded(codes)
    return _typed(rule, wanted)


def _then(first: Convert, second: Callable[[str], Any]) -> Convert:
    def convert(value: Any) -> Any:
        found = first(value)
        return None if found is None else second(found)

    return convert


def _coded(codes: dict[str, Any]) -> Convert:
    def convert(value: Any) -> Any:
        plain = str(value).lower() if isinstance(value, bool) else plain_text(value)
        if plain is None:
            return None
        if plain not in codes:
            raise Unfit(NOT_IN_CODES)
        return codes[plain]

    return convert


def _typed(rule: FieldRule, wanted: Any) -> Convert:
    if wanted in (Date, DateTime, YearMonth) or rule.date:
        return _dated(rule.date or "iso", wanted)
    if wanted is bool:
        return yes_or_no
    if wanted in (int, float):
        return _numeric(wanted, rule.factor)
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        return _coded({member.value: member.value for member in wanted})
    return plain_text


def yes_or_no(value: Any) -> bool | None:
    """是, 有, 1, Y, true, √ and their opposites."""
    if isinstance(value, bool):
        return value
    plain = plain_text(value)
    if plain is None:
        return None
    told = (_YES | _NO).get(plain.lower())
    if told is None:
        raise Unfit(NOT_BOOL)
    return told


def _numeric(wanted: type, factor: float | None) -> Convert:
    def convert(value: Any) -> int | float | None:
        found = number(value)
        if found is None:
            return None
        if factor is not None:
            found = round(found * factor, 9)
        if wanted is float:
            return found
        if found != int(found):
            raise Unfit(NOT_WHOLE)
        return int(found)

    return convert


def number(value: Any) -> int | float | None:
    """12, "12", "1,200", "１．５万", "96%" (0.96); None if empty; `Unfit` for anything else."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool | list | dict | date | bytes):
        raise Unfit(NOT_NUMBER)
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        return _written(value)
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise Unfit(NOT_NUMBER) from None
    if not math.isfinite(found):
        raise Unfit(NOT_NUMBER)
    return int(found) if found == int(found) and abs(found) < EXACT else found


def _written(value: str) -> int | float:
    match = _NUMBER.fullmatch(value.translate(_WIDE).replace(",", "").strip()) if len(value) < 64 else None
    if match is None:
        raise Unfit(NOT_NUMBER)
    found: int | float = float(match[1]) if "." in match[1] else int(match[1])
    if match[2]:
        found = round(found * _TIMES[match[2]], 9)
    return int(found) if found == int(found) else found


def _dated(form: str, wanted: Any) -> Convert:
    def convert(value: Any) -> str | None:
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        found = moment(value, form)
        if wanted is DateTime:
            return found.isoformat(timespec="seconds")
        if wanted is YearMonth or (wanted is not Date and "%" in form and "%d" not in form):
            return found.date().isoformat()[:7]
        return found.date().isoformat()

    return convert


def moment(value: Any, form: str) -> datetime:
    """The moment that a native value tells, at +08:00 unless it says another zone."""
    if isinstance(value, datetime):
        return _zoned(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=CHINA)
    try:
        return _counted(value, form) if isinstance(value, int | float) else _parsed(str(value).strip(), form)
    except (ValueError, OverflowError, OSError):
        raise Unfit(NOT_DATE) from None


def _counted(value: int | float, form: str) -> datetime:
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError
    if form in ("epoch_ms", "epoch_s"):
        return datetime.fromtimestamp(value / (1000 if form == "epoch_ms" else 1), UTC).astimezone(CHINA)
    if form in ("serial", "any") and 1 <= value < 2_958_466:
        return _zoned(SERIAL_ZERO + timedelta(days=round(value, 6)))
    if form == "serial":
        raise ValueError
    return _parsed(str(int(value)), form)


@lru_cache(maxsize=8192)
def _parsed(text: str, form: str) -> datetime:
    if len(text) > 64:
        raise ValueError
    if form in ("epoch_ms", "epoch_s", "serial"):
        return _counted(float(text), form)
    if form == "any":
        return _guessed(text.translate(_WIDE))
    if form == "iso":
        return _zoned(datetime.fromisoformat(text))
    return _zoned(datetime.strptime(text, form))


def _guessed(text: str) -> datetime:
    """2016/5/4, 2016年5月4日, 2016.5, 20160504, 201605, a serial number in text."""
    if text.isdigit() and len(text) in (6, 8):
        return datetime(int(text[:4]), int(text[4:6]), int(text[6:] or 1), tzinfo=CHINA)
    if text.isdigit() and len(text) == 5:
        return _counted(int(text), "serial")
    match = _DAY.fullmatch(text)
    if match is None:
        return _zoned(datetime.fromisoformat(text))
    year, month, day, hour, minute, second = (int(part) if part else 0 for part in match.groups())
    return datetime(year, month, day or 1, hour, minute, second, tzinfo=CHINA)


def _zoned(found: datetime) -> datetime:
    return found.replace(tzinfo=CHINA) if found.tzinfo is None else found
