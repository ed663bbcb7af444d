"""Settings of the gate: who signs people in, who may ask, who vouches; one typed tree.

Each knob has its sentence here; `docker/rongtong.toml` shows them all with their defaults.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec


class Seconds(float):
    """A span of time, written with its unit: "2s"."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file. It may hold secrets, so it never prints."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class UpstreamSettings(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One identity provider of a level that people may sign in with."""

    code: str
    """代码，唯一 / unique code: lower-case letters, digits, hyphens."""
    kind: Literal["oidc", "oauth2", "cas", "ticket"]
    """种类 / kind: OIDC, plain OAuth 2 code flow, CAS 2/3, 体系枢纽 ticket."""
    name: str
    """名称 / name, Chinese."""
    name_en: str = ""
    """英文名称 / name, English."""
    level: str
    """级别 / its level."""
    region: str
    """区划代码 / region it speaks for."""
    school: str = ""
    """学校标识码 / school it speaks for, if it is a school's own."""
    issuer: str
    """签发者 / exact issuer (OIDC), else the address that names this provider."""
    client_id: str = ""
    """在对方登记的客户端 / our client_id there; the appId of a ticket provider."""
    client_secret: str = ""
    """客户端密钥 / our secret there."""
    algorithms: tuple[str, ...] = ("ES256", "RS256", "PS256", "EdDSA")
    """接受的签名算法 / signature algorithms accepted from it; pinned, never its own list."""
    scopes: tuple[str, ...] = ("openid", "profile")
    """申请的范围 / scopes asked for."""
    authoritative: tuple[str, ...] = ()
    """可信标识 / what of it links accounts: "id_number", "roll_number", "roster:<source>"."""
    claims: dict[str, str] = {}
    """字段对照 / our word (sub, name, id_number, roll_number, roster, role, assurance) = its claim."""
    roles: dict[str, str] = {}
    """可断言的角色 / its value of the role claim = our role; within its own region only."""
    assurance: dict[str, str] = {}
    """核验等级对照 / its value = SELF_ASSERTED | NAME_VERIFIED | FACE_VERIFIED."""
    options: dict[str, Any] = {}
    """种类自身的设置 / the kind's own settings (endpoints of OAuth 2, CAS and ticket providers)."""
    deadline: Seconds = Seconds(5)
    """单次询问时限 / most time one request to it may take."""
    trusted_by: str = ""
    """信任锚 / accept it only by a trust chain to this anchor (OpenID Federation); empty: by this table."""


class ClientSettings(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One application that signs people in at the hub."""

    id: str
    """客户端标识 / client_id."""
    name: str
    """名称 / name, Chinese."""
    name_en: str = ""
    """英文名称 / name, English."""
    secret: str = ""
    """密钥，空为公开客户端 / secret, 32 bytes or more; empty: a public client."""
    jwks_uri: str = ""
    """公钥地址 / its keys, for private_key_jwt and signed requests."""
    auth_method: Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"] = (
        "client_secret_basic"
    )
    """认证方式 / how it authenticates at the token endpoint."""
    redirect_uris: tuple[str, ...] = ()
    """回调地址 / exact redirect addresses."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    """注销后地址 / exact addresses to return to after signing out."""
    backchannel_logout_uri: str = ""
    """注销通知地址 / where it is told that a session ended."""
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token")
    """授权类型 / grants it may use."""
    scopes: tuple[str, ...] = ("openid", "profile", "graph")
    """可申请的范围 / scopes it may ask for."""
    purposes: tuple[str, ...] = ()
    """可声明的用途 / purposes it may declare for sensitive data."""
    first_party: bool = False
    """自有应用 / the bureau's own: no consent page."""
    minors: bool = False
    """可处理未成年人数据 / may be told of persons under 14."""
    require_pkce: bool = True
    """是否强制 PKCE / only a legacy client may do without."""
    dpop_bound: bool = False
    """令牌须持有证明 / its tokens are bound to a key (RFC 9449)."""
    id_token_alg: Literal["ES256", "RS256"] = "ES256"  # noqa: S105 - an algorithm
    """ID 令牌算法 / RS256 for peers that know nothing else."""


class TrustSettings(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Trust along the five levels: OpenID Federation 1.0."""

    anchors: dict[str, dict[str, Any]] = {}
    """信任锚 / entity identifier of each trust anchor = its keys (JWKS), handed over out of band."""
    authority_hints: tuple[str, ...] = ()
    """上级实体 / entity identifiers of those directly above the hub."""
    statement_lifetime: Seconds = Seconds(24 * 3600)
    """声明有效期 / longest life of a statement that is believed or issued."""
    chain_lifetime: Seconds = Seconds(6 * 3600)
    """信任链缓存期 / a withdrawal is seen after this at the latest."""
    max_depth: Annotated[int, msgspec.Meta(ge=1, le=20)] = 6
    """最长链 / most statements between a leaf and its anchor."""
    max_fetches: Annotated[int, msgspec.Meta(ge=1, le=200)] = 30
    """单次解析请求上限 / most fetches for one resolution."""
    minors_mark: str = ""
    """信任标志 / trust mark type without which a client is told of nobody under 14."""


class IdentitySettings(Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sign-on at the hub."""

    issuer: str = ""
    """签发者，即本中心的外部地址 / the hub's own address as browsers see it; empty: sign-on is off."""
    access_token_life: Seconds = Seconds(300)
    """访问令牌有效期 / life of an access token."""
    refresh_token_life: Seconds = Seconds(14 * 86400)
    """刷新令牌有效期 / life of a refresh token family."""
    refresh_grace: Seconds = Seconds(0)
    """刷新宽限 / for this long a rotated refresh token may be sent again by its owner."""
    session_life: Seconds = Seconds(12 * 3600)
    """会话有效期 / longest sign-on."""
    session_idle: Seconds = Seconds(2 * 3600)
    """会话空闲期 / a sign-on ends after this long without use."""
    key_overlap: Seconds = Seconds(86400)
    """密钥重叠期 / a retired signing key verifies for this long."""
    allowed_networks: tuple[str, ...] = ()
    """应用可在的内网 / private networks or hosts that registered applications and entities may live in."""
    registration_token: str = ""
    """动态登记初始令牌 / initial access token of dynamic registration; empty: registration is off."""
    local_accounts: bool = True
    """本中心账号 / whether the hub has accounts of its own."""
