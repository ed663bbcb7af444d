"""What a CAS provider that wants to deceive us may say: answers and notices by name, each to be refused."""

from __future__ import annotations

from auth.broker.cas import LARGEST
from tests.auth.broker.puppet import Answer, elsewhere, fixed, slow

TICKET = "ST-1-abcdefghijklmnop"
CAS = 'xmlns:cas="http://www.yale.edu/tp/cas"'


def told(inner: str, space: str = CAS) -> str:
    return f"<cas:serviceResponse {space}>{inner}</cas:serviceResponse>"


def success(user: str = "<cas:user>mei</cas:user>", more: str = "", space: str = CAS) -> str:
    return told(f"<cas:authenticationSuccess>{user}{more}</cas:authenticationSuccess>", space)


def failure(code: str) -> str:
    return told(f'<cas:authenticationFailure code="{code}">no</cas:authenticationFailure>')


def attributes(**rows: str) -> str:
    inner = "".join(f"<cas:{name}>{value}</cas:{name}>" for name, value in rows.items())
    return f"<cas:attributes>{inner}</cas:attributes>"


LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;">]>' + success("<cas:user>&c;</cas:user>")
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>' + success("<cas:user>&f;</cas:user>")
FOREIGN_SPACE = 'xmlns:cas="http://www.yale.edu/tp/CAS"'
MANY = attributes(**{f"a{number}": "" for number in range(2000)})
LIES: dict[str, tuple[Answer | str, str, int]] = {
    "a failure": (
        failure("INVALID_TICKET"), "ticket-refused", 400
    ),
    "a failure of a kind nobody knows": (
        failure("&lt;b&gt;"), "provider-error", 400
    ),
    "its own trouble": (
        failure("INTERNAL_ERROR"), "unavailable", 503
    ),
    "that we are not registered": (
        failure("UNAUTHORIZED_SERVICE"), "refuses-us", 502
    ),
    "success in another namespace": (
        success(space=FOREIGN_SPACE),
        "answer-unusable", 502,
    ),
    "success in no namespace": (
        "<serviceResponse><authenticationSuccess><user>mei</user></authenticationSuccess></serviceResponse>",
        "answer-unusable", 502,
    ),
    "success without its envelope": (
        f"<cas:authenticationSuccess {CAS}><cas:user>mei</cas:user></cas:authenticationSuccess>",
        "answer-unusable", 502,
    ),
    "success and failure at once": (
        told(
            "<cas:authenticationSuccess><cas:user>mei</cas:user></cas:authenticationSuccess>"
            '<cas:authenticationFailure code="INVALID_TICKET"/>'
        ),
        "answer-unusable", 502,
    ),
    "two successes": (told("<cas:authenticationSuccess/>" * 2), "answer-unusable", 502),
    "two users": (success("<cas:user>mei</cas:user><cas:user>lei</cas:user>"), "answer-unusable", 502),
    "no user": (success(""), "answer-unusable", 502),
    "an empty user": (success("<cas:user></cas:user>"), "claim-sub", 400),
    "a blank user": (success("<cas:user>   </cas:user>"), "claim-sub", 400),
    "a user with a blank at the end": (success("<cas:user>mei </cas:user>"), "claim-sub", 400),
    "a user cut short by a comment": (success("<cas:user>admin<!-- -->x</cas:user>"), "claim-sub", 400),
    "a user with an element inside": (success("<cas:user>admin<b/>x</cas:user>"), "claim-sub", 400),
    "a user of 300 letters": (success(f"<cas:user>{'a' * 300}</cas:user>"), "claim-sub", 400),
    "a user that turns the text around": (success("<cas:user>mei\u202enimda</cas:user>"), "claim-sub", 400),
    "two blocks of attributes": (success(more=attributes(a="1") * 2), "answer-unusable", 502),
    "two thousand attributes": (success(more=MANY), "answer-unusable", 502),
    "a ticket that went through a proxy": (
        success(more="<cas:proxies><cas:proxy>https://evil.example</cas:proxy></cas:proxies>"), "proxied", 400
    ),
    "a billion laughs": (LAUGHS, "answer-unusable", 502),
    "a file of ours": (OUTSIDE, "answer-unusable", 502),
    "a document type in an encoding where it does not show": (
        fixed(LAUGHS.encode("utf-16")), "answer-unusable", 502
    ),
    "nesting without an end": ("<a>" * 9000, "answer-unusable", 502),
    "half of it": (success()[:-9], "answer-unusable", 502),
    "nothing": ("", "answer-unusable", 502),
    "a page for people": ("<html><body>维护中</body></html>", "answer-unusable", 502),
    "JSON": ('{"serviceResponse":{"authenticationSuccess":{"user":"mei"}}}', "answer-unusable", 502),
    "text of CAS 1": ("yes\nmei\n", "answer-unusable", 502),
    "no UTF-8": (fixed(b'<?xml version="1.0" encoding="UTF-8"?>\xff\xfe\xfa'), "answer-unusable", 502),
    "more than is read": (success(more=f"<!--{'x' * LARGEST}-->"), "answer-unusable", 502),
    "thirty megabytes": (fixed(b"x" * 30_000_000), "answer-unusable", 502),
    "a redirect": (elsewhere, "refuses-us", 502),
    "500": (fixed("boom", 500), "answer-unusable", 502),
    "503": (fixed("busy", 503, {"Retry-After": "1"}), "unavailable", 503),
    "404": (fixed("what", 404), "refuses-us", 502),
    "success with 403": (fixed(success(), 403), "refuses-us", 502),
    "nothing in time": (slow, "timeout", 503),
    "a date to come": (
        success(more=attributes(authenticationDate="2999-01-01T00:00:00Z")), "auth-time", 400
    ),
}  # fmt: skip


def logout(inner: str = f"<samlp:SessionIndex>{TICKET}</samlp:SessionIndex>", head: str = 'ID="LR-1"') -> str:
    space = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
    return f"<samlp:LogoutRequest {space} {head}>{inner}</samlp:LogoutRequest>"


NAMED = (
    '<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">t0000009</saml:NameID>'
    f"<samlp:SessionIndex>{TICKET}</samlp:SessionIndex>"
)
NOTICES = {
    "nothing": "",
    "no XML": "logout please",
    "a name without a ticket": logout(NAMED.partition("<samlp:")[0]),
    "two tickets": logout(f"<samlp:SessionIndex>{TICKET}</samlp:SessionIndex>" * 2),
    "an empty ticket": logout("<samlp:SessionIndex/>"),
    "a ticket that can be guessed": logout("<samlp:SessionIndex>ST-1</samlp:SessionIndex>"),
    "an operator": logout("<samlp:SessionIndex>{'$ne': ''}</samlp:SessionIndex>"),
    "another message": logout().replace("LogoutRequest", "LogoutResponse"),
    "another namespace": logout().replace("SAML:2.0:protocol", "SAML:1.0:protocol"),
    "a billion laughs": LAUGHS,
    "a mountain": logout(f"<!--{'x' * LARGEST}-->"),
    "lone surrogates": "\udfff<x/>",
}
