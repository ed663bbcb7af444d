"""What a record store's owner tells us: where it is, whom its accounts belong to, what its verbs mean."""

from __future__ import annotations

import msgspec

from connectors.base import Options
from schema.model.codes import LoopStep, Scene

VOCABULARY = "https://hub.example.invalid/xapi/"


class Meaning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a verb stands for where a statement does not say: its scene and step of the teaching loop."""

    scene: Scene | None = None
    loop_step: LoopStep | None = None


class XapiOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`base_url` is the xAPI endpoint: `/statements` is below it.

    Signing in: `login` with `login_secret` (Basic), or `bearer_secret`, or OAuth 2 client credentials
    (`token_url`, `client_id`, `client_secret`, `scope`).
    `actors`: homePage of an account -> code of the roster source that numbers its persons.
    `classes`: code of the roster source of the classes; `class_iri`: beginning of an activity id that
    stands for a class, before its local id. Both or none.
    `vocabulary`: beginning of our context extensions (`scene`, `loop-step`, `role`, `school`).
    `verbs`: IRI -> meaning, over the built-in table.
    `page_size`: statements asked for at once; `most`: read for one look-up at most.
    `late`: seconds by which a statement may be stored after it happened; `early`: by which a clock may be
    ahead.
    """

    base_url: str
    version: str = "1.0.3"
    login: str = ""
    login_secret: str = ""
    bearer_secret: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""
    scope: str = "statements/read"
    actors: dict[str, str] = msgspec.field(default_factory=dict)
    classes: str = ""
    class_iri: str = ""
    vocabulary: str = VOCABULARY
    verbs: dict[str, Meaning] = msgspec.field(default_factory=dict)
    page_size: int = 500
    most: int = 5_000
    late: float = 7 * 86_400.0
    early: float = 3_600.0

    def __post_init__(self) -> None:
        ways = [bool(self.login), bool(self.bearer_secret), bool(self.client_id)]
        if sum(ways) > 1:
            raise ValueError("登录方式只能选一种 / choose one way to sign in")
        if self.client_id and not self.token_url:
            raise ValueError("client_id 需要 token_url / client_id needs a token_url")
        if bool(self.classes) != bool(self.class_iri):
            raise ValueError("classes 与 class_iri 须同时给出 / give both classes and class_iri, or none")
        if min(self.page_size, self.most) < 1 or min(self.late, self.early) < 0:
            raise ValueError("page_size、most 须为正 / must be positive")
