"""What is wrong with the settings of sign-on beyond their types, found before anything is built from them.

Rule: each fault names its table and knob, so that it is shown with its line, and says what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from auth.settings import ClientSettings, IdentitySettings, TrustSettings, UpstreamSettings
from auth.trust.identifiers import is_entity, is_loopback
from auth.trust.keys import algorithms_of, published
from schema.model.codes import Level

RESERVED = ("local", "to", "passkey")
"""Words that `/sign-in/{word}` has for itself, beside the codes of providers."""
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_ENTITY = (
    "写成 https 地址，小写主机名，末尾无点，不带参数 / an https address (http on loopback only), "
    "host in lower case, without query"
)


class Fault(NamedTuple):
    """A fault at `name` of the table at `path`, as in `upstreams[2]`."""

    path: str
    name: str
    cause: str
    remedy: str


def faults(
    identity: IdentitySettings, trust: TrustSettings, upstreams: Sequence[UpstreamSettings],
    clients: Sequence[ClientSettings], *, development: bool, known_region: Callable[[str], bool],
) -> Iterator[Fault]:  # fmt: skip
    """Whatever keeps these settings from working, in the order of the file. `development`: the hub's
    environment; `known_region`: whether there is a division of that code."""
    yield from _identity(identity, development)
    yield from _trust(trust, identity)
    yield from _upstreams(upstreams, trust, known_region)
    yield from _clients(clients)


def _identity(identity: IdentitySettings, development: bool) -> Iterator[Fault]:
    issuer = identity.issuer
    if not issuer:
        return
    if cause := _not_an_issuer(issuer):
        yield Fault("identity", "issuer", cause, '例如 / e.g. "https://id.example.edu.cn"')
    elif issuer.startswith("http:") and not development and not is_loopback(urlsplit(issuer).hostname or ""):
        yield Fault(
            "identity", "issuer", "生产环境的签发者须为 https / in production the issuer is https",
            '改为 https，或仅在试用时设 environment = "development" / make it https; '
            'environment = "development" is for trying out',
        )  # fmt: skip


def _not_an_issuer(issuer: str) -> str:
    """Why this cannot be the hub's own address; "" if it can. Its pages refer to each other from the root."""
    if issuer.endswith("/"):
        return "签发者末尾不带斜杠 / the issuer has no slash at its end"
    try:
        parts = urlsplit(issuer)
        place = bool(parts.hostname) and parts.port != 0
    except ValueError:
        place = False
    if not place or parts.scheme not in ("https", "http") or "@" in issuer:
        return "签发者应为完整的 https 地址 / the issuer is a whole https address"
    if parts.path or "?" in issuer or "#" in issuer:
        return "签发者只含协议、主机和端口 / the issuer has no path, query or fragment"
    return ""


def _trust(trust: TrustSettings, identity: IdentitySettings) -> Iterator[Fault]:
    for anchor, jwks in trust.anchors.items():
        if not is_entity(anchor):
            yield Fault("trust", anchor, f"信任锚不是实体标识 / not an entity: {anchor!r}", _ENTITY)
        elif not _verifies(jwks):
            yield Fault(
                "trust", anchor, f"信任锚的公钥集不可用 / unusable keys of the anchor {anchor}",
                "写入其公钥 keys = [{…}]，每个都有 kid，无私钥；可用 ES256、RS256、Ed25519 / "
                "give its JWK Set: public keys only, each with a kid, of ES256, RS256 or Ed25519",
            )  # fmt: skip
    for hint in trust.authority_hints:
        if not is_entity(hint):
            yield Fault("trust", "authority_hints", "上级不是实体标识 / not an entity identifier", _ENTITY)
        elif hint == identity.issuer:
            yield Fault("trust", "authority_hints", "上级是本中心自己 / the hub itself", "删去它 / drop it")
    for name in ("statement_lifetime", "chain_lifetime"):
        if getattr(trust, name) <= 0:
            yield Fault("trust", name, "期限须大于零 / it must be more than zero", f'{name} = "6h"')


def _verifies(jwks: object) -> bool:
    """Whether a JWK Set holds at least one key that a statement may be signed with."""
    try:
        return any(algorithms_of(key) for key in published(jwks).values())
    except ValueError:
        return False


def _upstreams(
    upstreams: Sequence[UpstreamSettings], trust: TrustSettings, known_region: Callable[[str], bool]
) -> Iterator[Fault]:
    twice = _repeated(each.code for each in upstreams)
    for number, each in enumerate(upstreams):
        for name, cause, remedy in _of_upstream(each, trust, known_region):
            yield Fault(f"upstreams[{number}]", name, cause, remedy)
        if number in twice:
            yield Fault(
                f"upstreams[{number}]", "code", f"代码重复 / twice: {each.code}",
                "改成唯一的代码 / make it unique",
            )  # fmt: skip


def _of_upstream(
    upstream: UpstreamSettings, trust: TrustSettings, known_region: Callable[[str], bool]
) -> Iterator[tuple[str, str, str]]:
    code, level = upstream.code, upstream.level
    if not _CODE.fullmatch(code):
        yield "code", f"代码不合规 / bad code: {code!r}", "小写字母、数字、连字符 / a-z 0-9 -"
    if code in RESERVED:
        yield (
            "code", f"代码 {code} 由本中心自用 / {code} is a word of the hub's own",
            f"换一个，不能是 {', '.join(RESERVED)} / choose another: none of these",
        )  # fmt: skip
    if level not in Level.__members__:
        yield "level", "没有这个级别 / no such level", f"可用 / known: {', '.join(Level.__members__)}"
    if not known_region(upstream.region):
        yield (
            "region", "没有这个区划 / no such region",
            "六位区划代码，全国为 000000 / a division code of six digits; 000000 is the nation",
        )  # fmt: skip
    if upstream.trusted_by and upstream.trusted_by not in trust.anchors:
        yield (
            "trusted_by", "没有登记这个信任锚 / no such trust anchor",
            "先在 [trust.anchors] 登记其公钥 / enter its keys under [trust.anchors] first",
        )  # fmt: skip


def _clients(clients: Sequence[ClientSettings]) -> Iterator[Fault]:
    for number in sorted(_repeated(each.id for each in clients)):
        yield Fault(
            f"clients[{number}]", "id", f"客户端标识重复 / twice: {clients[number].id}",
            "改成唯一的标识 / make it unique",
        )  # fmt: skip


def _repeated(names: Iterable[str]) -> set[int]:
    """Places of those that were named before."""
    seen: set[str] = set()
    found = set()
    for number, name in enumerate(names):
        if name in seen:
            found.add(number)
        seen.add(name)
    return found
