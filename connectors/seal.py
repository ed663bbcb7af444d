"""Numbers of persons: checked, masked, and turned into keyed hashes before they leave a connector.

A plain ID or roll number never leaves this floor. What leaves is `match_key`: HMAC-SHA-256 under the hub's
own key, so that two sources' records of one person can be brought together and nobody can count back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import date

_WEIGHTS = tuple(pow(2, 17 - place, 11) for place in range(17))
_CHECK = "10X98765432"
_DIGITS = str.maketrans("０１２３４５６７８９ｘＸ", "0123456789XX")


class Seal:
    """Makes match keys; holds the hub's matching key, which never prints."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("matching key too short: 32 bytes or more")
        self._key = key

    def __repr__(self) -> str:
        return "Seal(…)"

    def derived(self, use: str) -> bytes:
        """32 bytes for another use, from which neither this key nor any other use's can be told."""
        return hmac.digest(self._key, b"derived\0" + use.encode(), hashlib.sha256)

    def match_key(self, number: str) -> str:
        """Keyed hash of an ID or roll number; `G` + ID number and the ID number give the same key.

        `ValueError` for a blank: otherwise all whose number is missing would be one person.
        """
        if not canonical(number):
            raise ValueError("a blank is no number")
        digest = hmac.digest(self._key, canonical(number).encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:18]).decode()


def canonical(number: str) -> str:
    """The number as it is hashed: half-width, upper case, no blanks, without the roll's leading G."""
    plain = re.sub(r"\s", "", number.translate(_DIGITS)).upper()
    return plain[1:] if len(plain) == 19 and plain[0] == "G" else plain


def check_digit(first17: str) -> str:
    """The 18th character of a resident ID (GB 11643-1999, ISO 7064 MOD 11-2)."""
    return _CHECK[sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True)) % 11]


def flaw(number: str) -> str | None:
    """What is wrong with a resident ID number, in words for its owner; None if nothing is.

    Region codes are not judged: zones and renamed counties are real, and tables of them are dated.
    """
    plain = canonical(number)
    if not re.fullmatch(r"[0-9]{17}[0-9X]", plain):
        return "应为 18 位：17 位数字加校验码 / not 17 digits and a check character"
    try:
        date(int(plain[6:10]), int(plain[10:12]), int(plain[12:14]))
    except ValueError:
        return "出生日期不存在 / no such date of birth"
    if check_digit(plain[:17]) != plain[17]:
        return "校验码不符 / check character does not fit"
    return None


def mask_number(number: str) -> str:
    """First four and last two characters, stars between: `9999************15`; of a short number nothing."""
    plain = number.strip()
    return plain[:4] + "*" * (len(plain) - 6) + plain[-2:] if len(plain) > 11 else "*" * len(plain)


def birth_date_of(number: str) -> str | None:
    """ISO date of birth inside a flawless resident ID or G roll number, else None."""
    plain = canonical(number)
    return None if flaw(plain) else f"{plain[6:10]}-{plain[10:12]}-{plain[12:14]}"
