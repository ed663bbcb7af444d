"""What a roster's owner tells us: where it is served or where its bundle lies, and what it can take."""

from __future__ import annotations

from typing import Literal

from connectors.base import Options

_ROSTER, _FACTS = "scope/roster.readonly", "scope/roster-demographics.readonly"
SCOPES = {
    version: " ".join(f"https://purl.imsglobal.org/spec/or/{path}/{part}" for part in (_ROSTER, _FACTS))
    for version, path in (("1.2", "v1p2"), ("1.1", "v1p1"))
}


class OneRosterOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Either `base_url` (REST) or `bundle` (zip or folder of CSV files under the files' root).

    `version` names the profile: paths and user shape of 1.2 or 1.1; `path` overrides the paths' beginning.
    `token_url`, `client_id`, `client_secret`, `scope`: OAuth 2 client credentials, none without `client_id`;
    the standard's own read-only scopes by default.
    `ors`: terms that the server takes in one filter, as far as a request line of 8 KB holds them.
    `page_size`: records asked for at once; a server may quietly give fewer. `most`: records one look-up
    returns at most. `user_school`: where a user's school stands, for servers that leave `primaryOrg` out
    (`roles.org.sourcedId`).
    `index_for`: seconds for which the list of organisations is remembered, to translate references.
    `largest`: bytes of a bundle's files together.
    """

    base_url: str = ""
    bundle: str = ""
    version: Literal["1.2", "1.1"] = "1.2"
    path: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""
    scope: str = ""
    ors: int = 200
    page_size: int = 5_000
    most: int = 50_000
    user_school: str = ""
    index_for: float = 60.0
    largest: int = 256 * 1024 * 1024

    def __post_init__(self) -> None:
        if bool(self.base_url) == bool(self.bundle):
            raise ValueError("请给出 base_url 或 bundle 之一 / give either base_url or bundle")
        if self.client_id and not self.token_url:
            raise ValueError("client_id 需要 token_url / client_id needs a token_url")
        if min(self.ors, self.page_size, self.most, self.largest) < 1:
            raise ValueError("ors、page_size、most、largest 须为正 / must be positive")
