"""Who is asking, as the hub understood it: for clients that want to show it."""

from typing import Any

import strawberry

from schema.graph.directives import marks
from schema.graph.words import TYPES, both, quick, typed
from schema.model.codes import LEVELS, PersonRole
from schema.model.privacy import Duty, PrivacyClass


def _roles(viewer: Any, _info: Any) -> list[PersonRole]:
    return list(dict.fromkeys(standing.role for standing in viewer.standings))


@strawberry.type(
    name="Viewer",
    description=both("提问者自己", "Who is asking"),
    directives=marks(PrivacyClass.PERSONAL, LEVELS),
)
class Viewer:
    """The viewer of the request (`schema.model.viewer.Viewer`), shown to itself only."""

    subject: str | None = quick(
        lambda viewer, _: viewer.subject or None,
        str | None,
        "登录标识；未登录为空",
        "Subject; null for nobody",
    )
    anonymous: bool = quick(lambda viewer, _: viewer.anonymous, bool, "是否未登录", "Whether signed out")
    roles: list[PersonRole] = quick(_roles, list[PersonRole], "所任身份", "Roles held")
    purposes: list[Duty] = quick(
        lambda viewer, _: sorted(viewer.purposes),
        list[Duty],
        "本次查询声明的用途",
        "Purposes this request declares",
    )


typed(Viewer)
TYPES["Viewer"] = Viewer
