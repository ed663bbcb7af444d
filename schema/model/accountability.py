"""Words for what the hub itself keeps about people: who looked at their data, and what they agreed to.

They hang on a person, and only that person and their guardians see them (PIPL art. 44, 45, 48).
"""

from __future__ import annotations

from typing import Annotated

from schema.model.codes import LEVELS, PersonRole
from schema.model.privacy import Duty, PrivacyClass
from schema.model.words import DateTime, RegionCode, Word, said

SENSITIVE = PrivacyClass.SENSITIVE


class AccessRecord(Word, zh="访问记录", en="Access record", privacy=SENSITIVE, authority=LEVELS):
    """Somebody read sensitive data of this person: when, as what, with which application, for what."""

    at: Annotated[DateTime, said("时间", "When")]
    roles: Annotated[list[PersonRole], said("以何身份", "As what")]
    region_code: Annotated[RegionCode, said("任职区划", "Region they work in")]
    school_code: Annotated[str, said("任职学校", "School they work at")]
    client: Annotated[str, said("所用应用", "Application used")]
    purposes: Annotated[list[Duty], said("声明的用途", "Purposes declared")]
    fields: Annotated[list[str], said("所见字段", "Fields shown, as Type.field")]


class ConsentReceipt(Word, zh="同意回执", en="Consent receipt", privacy=SENSITIVE, authority=LEVELS):
    """What was agreed to: which application may see this person, for what, since when (PIPL 14-16, 31)."""

    receipt: Annotated[str, said("回执号", "Number of the receipt")]
    client: Annotated[str, said("应用", "Application")]
    purpose: Annotated[Duty, said("用途", "Purpose")]
    notice_version: Annotated[str, said("告知文本版本", "Version of the notice agreed to")]
    by_guardian: Annotated[bool, said("是否监护人所同意", "Whether a guardian agreed")]
    granted_at: Annotated[DateTime, said("同意时间", "When it was given")]
    withdrawn_at: Annotated[DateTime, said("撤回时间", "When it was withdrawn")]
