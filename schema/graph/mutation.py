"""What can be changed through the graph: consents, by those whose data it is.

Rule 1: nobody agrees for somebody else's child, no child under 14 for themselves, no application for anybody.
Rule 2: whoever may not do a thing is told the same as if the person were not there.
"""

import re
from typing import Annotated, Any

import strawberry

from schema.graph.arguments import ById, said
from schema.graph.context import Entity, SourceSilent
from schema.graph.ids import decode
from schema.graph.looking import witness
from schema.graph.refusals import BadArgument
from schema.graph.roots import root
from schema.graph.words import Info, both, typed
from schema.model.policy import is_minor
from schema.model.privacy import Duty
from schema.model.words import Kind

NEEDED = frozenset({"person_key", "match_key", "birth_date", "roles"})
CLIENT_ID = re.compile(r"[\x21-\x7e]{1,255}")
LONGEST_VERSION = 100
ToClient = Annotated[str, said("应用标识（client_id）", "The application's client_id")]
ForPurpose = Annotated[Duty, said("用途", "For what")]
OfNotice = Annotated[str, said("所同意的告知文本版本", "Version of the notice agreed to")]
OfReceipt = Annotated[str, said("回执号", "Number of the receipt")]


async def _theirs(info: Info, id: str, *, agreeing: bool) -> Entity:
    """The person with this id, if the viewer may speak for them. Raises `BadArgument`, `SourceSilent`."""
    context = info.context
    ref = decode(id, context.sources)
    speaks_for = context.viewer.person_keys | context.viewer.children_keys
    if ref is None or ref.kind is not Kind.PERSON or ref.key not in speaks_for:
        raise BadArgument("没有这个人，或您不能代表其同意", "no such person, or not one you can agree for")
    entity, account = await context.directory.get(Kind.PERSON, ref.key, NEEDED)
    if entity is None:
        raise SourceSilent(account.silent) if account.silent else BadArgument("没有这个人", "no such person")
    alone = ref.key not in context.viewer.children_keys
    if agreeing and alone and is_minor(entity.values, context.now.date()):
        raise BadArgument(
            "未满 14 周岁须由监护人同意", "below the age of 14 a guardian agrees (PIPL art. 31)"
        )
    return entity


def _keys(entity: Entity) -> list[str]:
    found = (entity.values.get(name) for name in ("person_key", "match_key"))
    return [str(key) for key in found if key] or [entity.key]


def _written(client: str, notice: str) -> None:
    """Raises `BadArgument` for what can be no application's name, and for a version that is none."""
    if not CLIENT_ID.fullmatch(client):
        raise BadArgument("没有这样的应用标识", "no application is named like that")
    if len(notice) > LONGEST_VERSION:
        raise BadArgument(
            f"告知文本版本至多 {LONGEST_VERSION} 字",
            f"a notice's version has at most {LONGEST_VERSION} characters",
        )


def _by_hand(info: Info) -> None:
    if info.context.viewer.third_party:
        raise BadArgument(
            "请在中心自己的页面上操作", "do this on the hub's own pages, not through an application"
        )


@strawberry.type(name="Mutation", description=both("变更入口", "What can be changed"))
class Mutation:
    """Everything that can be changed."""

    @root(
        "同意某应用为某用途查看此人的数据",
        "Agree to an application's seeing this person",
        one="ConsentReceipt",
    )
    async def give_consent(
        self, info: Info, person: ById, client: ToClient, purpose: ForPurpose, notice_version: OfNotice
    ) -> Any:
        """The receipt; the same one for the same agreement."""
        _by_hand(info)
        _written(client, notice_version)
        entity = await _theirs(info, person, agreeing=True)
        keeper = witness(info)
        return await keeper.consent(info.context.viewer, _keys(entity), client, purpose, notice_version)

    @root("撤回同意", "Withdraw a consent", one="ConsentReceipt")
    async def withdraw_consent(self, info: Info, person: ById, receipt: OfReceipt) -> Any:
        """The receipt with its end; null for a receipt that is not this person's."""
        _by_hand(info)
        entity = await _theirs(info, person, agreeing=False)
        return await witness(info).withdraw(info.context.viewer, _keys(entity), receipt)


typed(Mutation)
