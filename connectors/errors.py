"""What can go wrong at a source, sorted by what the hub does next.

* SourceError        pass this source over, and say so in the answer
  x Unavailable      ... after retrying; a remembered answer will do
    + TimedOut
    + Overloaded     ... no sooner than `retry_after`
  x Refused          ... at once; the address or our credentials need a human
    + Untrusted      ... its certificate is not one we may trust
    + Forbidden      ... its address is not one we may talk to
  x Malformed        ... at once; the owner of the source needs to hear of it
  x Unanswerable     ... at once; it was asked something it never offered (a fault of ours)

Callers never read a message: the class says what to do, `code` and `public` say it to the client.
"""

from __future__ import annotations


class SourceError(Exception):
    """A source did not give a usable answer.

    `detail` is for operators and may name hosts and paths, but holds no personal data; `public` is for all.
    """

    code = "SOURCE_UNAVAILABLE"
    public = "暂时无法访问 / not available for now"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Unavailable(SourceError):
    """No answer: connection refused, reset, 502, 503, 504. Worth another try, a remembered answer will do."""


class TimedOut(Unavailable):
    """The deadline passed before a whole answer had arrived."""

    code = "SOURCE_TIMEOUT"
    public = "没有在时限内回答 / no answer in time"


class Overloaded(Unavailable):
    """The source asks for patience (429, 503 with Retry-After); `retry_after` in seconds."""

    code = "SOURCE_OVERLOADED"
    public = "繁忙，请稍后再试 / busy, try again later"

    def __init__(self, detail: str, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Refused(SourceError):
    """The source answers, but not us: 401, 403, 404 of an endpoint, wrong credentials."""

    code = "SOURCE_REFUSED"
    public = "拒绝了本中心的访问，需要双方管理员处理 / refuses this hub: for its and our operators"


class Untrusted(Refused):
    """Its certificate does not hold, or it does not speak TLS where it should."""

    code = "SOURCE_TLS"
    public = "证书不可信，未访问 / its certificate is not trusted"


class Forbidden(Refused):
    """The address is outside the allowed networks, or spelt in a way that could lead elsewhere."""

    code = "SOURCE_ADDRESS"
    public = "地址不在允许访问之列，未访问 / its address is not one this hub may talk to"


class Malformed(SourceError):
    """An answer that is none: not the promised format, too large, contradicting itself, or a 500."""

    code = "SOURCE_BAD_RESPONSE"
    public = "回答了无法使用的内容，需要来源方处理 / gives unusable answers: for its operator"


class Unanswerable(SourceError):
    """The look-up asks for a kind or filter that this source does not declare."""

    code = "SOURCE_CANNOT"
    public = "不支持这样的查询 / cannot answer such a question"
