"""Who may see a word: privacy classes, duties, and the masks laid over what is shown in part."""

from __future__ import annotations

from enum import StrEnum


class PrivacyClass(StrEnum):
    """PUBLIC anyone; INTERNAL staff in scope; PERSONAL self, guardians, duty; SENSITIVE see PIPL art. 28.

    A PERSONAL field of a child under 14 counts as SENSITIVE (PIPL art. 28 and 31).
    """

    PUBLIC = "PUBLIC"
    INTERNAL = "INTERNAL"
    PERSONAL = "PERSONAL"
    SENSITIVE = "SENSITIVE"


class Duty(StrEnum):
    """A duty under which staff may read what is sensitive; the purpose they declare names one."""

    TEACHING = "teaching"
    SCHOOL_MANAGEMENT = "school-management"
    ROLL = "roll"
    AID = "aid"
    DROPOUT_PREVENTION = "dropout-prevention"


class Mask(StrEnum):
    """What is left of a value that a viewer may see only in part."""

    NONE = "none"
    NAME = "name"  # 王小明 -> 王**
    YEAR = "year"  # 2016-05-04 -> 2016


def masked(value: object, mask: Mask) -> object:
    """`value` with `mask` laid over it; anything but text is returned as it is."""
    if not isinstance(value, str) or mask is Mask.NONE:
        return value
    if mask is Mask.NAME:
        return value[:1] + "*" * max(len(value) - 1, 1)
    return value[:4]
