"""The two marks that every type carries in the SDL: who may see it, and whose word counts."""

from collections.abc import Sequence

import strawberry
from strawberry.schema_directive import Location

from schema.model.codes import Level
from schema.model.privacy import PrivacyClass
from schema.model.words import FieldSpec, WordSpec

_PLACES = [Location.OBJECT, Location.FIELD_DEFINITION, Location.INTERFACE]


@strawberry.schema_directive(
    name="privacy",
    locations=_PLACES,
    description="隐私级别；写在类型上为其字段的缺省；atWork 用于在职人员。"
    "Privacy class; on a type, the default for its fields; atWork holds for people at their work.",
)
class Privacy:
    """`@privacy(class: …)`."""

    class_: PrivacyClass = strawberry.directive_field(name="class")
    at_work: PrivacyClass | None = strawberry.directive_field(name="atWork", default=strawberry.UNSET)


@strawberry.schema_directive(
    name="authority",
    locations=_PLACES,
    description="各级数据不一致时以谁为准，先列者先；写在类型上为其字段的缺省。"
    "Whose value wins when levels disagree, first listed first; on a type, the default for its fields.",
)
class Authority:
    """`@authority(levels: […])`."""

    levels: list[Level]


def marks(privacy: PrivacyClass, authority: Sequence[Level]) -> list[object]:
    """The marks of a type."""
    return [Privacy(class_=privacy), Authority(levels=list(authority))]


def field_marks(field: FieldSpec, word: WordSpec) -> list[object]:
    """The marks of a field, where they differ from its type's."""
    found: list[object] = []
    if field.at_work:
        found.append(Privacy(class_=field.privacy, at_work=field.at_work))
    elif field.privacy is not word.privacy:
        found.append(Privacy(class_=field.privacy))
    if field.authority != word.authority:
        found.append(Authority(levels=list(field.authority)))
    return found
