"""Why an entity is not trusted: one exception, a stable word for programs, a sentence that says what to do.

* Distrusted   shown on a page or as `invalid_client`; asking again helps only if it has `retry_after`
"""

from __future__ import annotations

from auth.errors import AuthError

_LONGEST = 160

REASONS: dict[str, tuple[str, str]] = {
    "not-an-entity": (
        "不是实体标识；应为 https 地址，不带参数与片段",
        "is no entity identifier: an https address without query or fragment is wanted",
    ),
    "no-anchor": (
        "本中心没有这个信任锚；请在设置 trust.anchors 中登记其公钥",
        "is no trust anchor of this hub: enter its keys under trust.anchors",
    ),
    "unreachable": (
        "没有可用的应答；请其运维检查服务，稍后再试",
        "gave no usable answer: have its operator look at it, try again later",
    ),
    "too-large": (
        "应答过大或已损坏；声明不得超过 128 kB",
        "answered with something too large or broken: a statement has at most 128 kB",
    ),
    "too-slow": (
        "信任链未能在时限内查完；请稍后再试",
        "its chain could not be followed in time: try again later",
    ),
    "too-many-fetches": (
        "查证信任链所需请求过多；请减少上级指引",
        "its chain needs too many requests: name fewer superiors",
    ),
    "too-deep": (
        "信任链过长，未到达信任锚；请检查上级指引",
        "its chain is too long and reaches no anchor: check the authority hints",
    ),
    "busy": ("查证任务过多，请稍后再试", "too many entities are being looked up: try again soon"),
    "malformed": (
        "发布的声明格式有误；请其按规范重新发布",
        "publishes a malformed statement: it must publish it anew",
    ),
    "wrong-type": (
        "声明的类型 (typ) 不对；请其按规范签发",
        "publishes a statement of the wrong type (typ): it must be issued anew",
    ),
    "bad-algorithm": (
        "使用了不接受的签名算法；请改用 ES256、RS256 或 Ed25519",
        "uses a signature algorithm that is not accepted: ES256, RS256 or Ed25519 are",
    ),
    "foreign-key": (
        "声明所用密钥不在上级公布的密钥之中；请向上级登记新密钥",
        "signed with a key that its superior does not publish: register the key with the superior",
    ),
    "bad-signature": (
        "声明的签名无效，可能被篡改；请通知其运维",
        "the statement's signature is not valid, it may have been changed: tell its operator",
    ),
    "wrong-issuer": (
        "声明的签发者 (iss) 不对；请通知其运维",
        "the statement names the wrong issuer (iss): tell its operator",
    ),
    "wrong-subject": (
        "声明的主体 (sub) 不对；请通知其运维",
        "the statement names the wrong subject (sub): tell its operator",
    ),
    "wrong-audience": (
        "声明限定了受众 (aud)，不能用于信任链",
        "the statement is made out to somebody (aud) and cannot be part of a chain",
    ),
    "expired": ("声明已过期；请其重新签发", "the statement has expired: it must be issued anew"),
    "not-yet-valid": (
        "声明尚未生效；请检查双方时钟",
        "the statement is not valid yet: compare the clocks of both sides",
    ),
    "unknown-critical": (
        "声明含有本中心不理解的关键项 (crit)",
        "the statement holds a critical claim (crit) that this hub does not understand",
    ),
    "unknown-policy-critical": (
        "策略含有本中心不理解的关键运算 (metadata_policy_crit)",
        "the policy holds a critical operator (metadata_policy_crit) that this hub does not understand",
    ),
    "policy-malformed": ("元数据策略格式有误", "publishes a malformed metadata policy: it must be mended"),
    "policy-contradiction": (
        "元数据策略与其上级的相矛盾；请其与上级协商",
        "its metadata policy contradicts that of a superior: the two must agree",
    ),
    "policy-violated": (
        "元数据不符合上级的策略；请按策略修改",
        "its metadata breaks a superior's policy: change it to fit",
    ),
    "path-too-long": (
        "下级层数超过其上级允许的数目 (max_path_length)",
        "has more levels below it than a superior allows (max_path_length)",
    ),
    "name-not-permitted": (
        "地址不在上级允许的范围内 (naming_constraints)",
        "its address is outside of what a superior permits (naming_constraints)",
    ),
    "type-not-allowed": (
        "上级不允许它担任这类角色 (allowed_entity_types)；请向上级申请",
        "a superior does not allow it this role (allowed_entity_types): ask the superior",
    ),
    "foreign-region": (
        "所称区划不属于其上级；请上级更正",
        "speaks for a region outside of its superior's: the superior must correct it",
    ),
    "no-authority-hints": (
        "没有指明上级 (authority_hints)；请其写明主管教育部门",
        "names no superior (authority_hints): it must name the authority in charge",
    ),
    "unknown-anchor": (
        "信任链不通向本中心承认的信任锚；请向主管教育部门申请接入",
        "its chain leads to no anchor that this hub knows: apply to the authority in charge",
    ),
    "not-an-authority": (
        "不是可以担保他人的机构：没有公布查询地址",
        "is no authority: it publishes no fetch endpoint",
    ),
    "not-vouched": (
        "上级不为它担保（未登记或已撤销）；请联系上级教育部门",
        "is not vouched for (any more) by its superior: contact the authority above it",
    ),
    "loop": (
        "上级指引形成循环；请检查 authority_hints",
        "its superiors refer to each other in a loop: check the authority hints",
    ),
    "no-such-type": (
        "未公布所需的角色；请补全元数据",
        "does not publish the role that is asked for: it must complete its metadata",
    ),
    "unfit-metadata": ("元数据不符合要求", "its metadata does not fit"),
    "no-keys": (
        "没有可用的应用公钥；请在元数据中公布 jwks",
        "publishes no usable keys of its application: put them into its metadata as jwks",
    ),
}
_AGAIN = frozenset({"unreachable", "too-slow", "busy"})


class Distrusted(AuthError):
    """The entity `entity` is not trusted, for `reason` (a key of `REASONS`).

    `depth`: how many levels above the entity that was asked for it stands; None when that is not known.
    `also`: further reasons, of other paths to an anchor. `status`: 400, or 503 with `retry_after` seconds
    when asking again may help.
    """

    code = "DISTRUSTED"
    error = "invalid_client"
    """What OAuth endpoints answer (RFC 6749 §5.2), with `reason` as its description."""

    def __init__(
        self,
        reason: str,
        entity: str,
        depth: int | None = None,
        *,
        detail: str = "",
        also: tuple[str, ...] = (),
    ) -> None:
        chinese, english = REASONS[reason]
        where = {None: ("", ""), 0: ("（申请方）", " (the applicant)")}.get(
            depth, (f"（上溯第 {depth} 级）", f" ({depth} above the applicant)")
        )
        who, more = shown(entity), f" [{shown(detail)}]" if detail else ""
        self.detail = detail
        super().__init__(f"{who}{where[0]}{chinese}{more} / {who}{where[1]} {english}{more}")
        self.reason, self.entity, self.depth, self.also = reason, entity, depth, also
        self.shown_code = f"{self.code}: {reason}"
        self.retry_after = 10.0 if reason in _AGAIN else None
        self.status = 503 if reason in _AGAIN else 400

    def again(self) -> Distrusted:
        """The same once more, to be raised for somebody else."""
        return self.beside(self.also)

    def beside(self, also: tuple[str, ...]) -> Distrusted:
        """The same, with what else was found on the way."""
        return Distrusted(self.reason, self.entity, self.depth, detail=self.detail, also=also)


def shown(text: str) -> str:
    """Foreign text as it may stand in ours: printable ASCII without our own separator, bounded."""
    clean = "".join(char if "!" <= char <= "~" else "?" for char in text[:_LONGEST])
    return clean + ("…" if len(text) > _LONGEST else "")
