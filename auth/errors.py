"""What can go wrong with an identity, sorted by what the caller does next.

* AuthError            shown with its `code` and its bilingual `public` text
  + InvalidToken       sign in again; never says why, so that nothing can be learnt by trying
  + UnknownPersona     the operator asks for one of the names in the text
  + TokenTooLarge      the issuer shortens the principal's claims
  + KeyUnusable        the operator repairs the key file as the text says
  + ProductionRefused  the operator configures a real identity provider
  + StoreDown          nothing was done: 503, try again after `retry_after` seconds
  + Taken              somebody else was first: read what they wrote
  + Denied             a page tells the person why, with its `code`; never a redirect to anywhere
"""

from __future__ import annotations


class AuthError(Exception):
    """An identity problem with a stable `code` and a text for people, `public` (Chinese / English)."""

    code = "AUTH_ERROR"
    public = "身份服务出错 / identity error"

    shown_code = ""
    """What a page shows instead of `code`, where a word more helps to find the cause."""

    def __init__(self, public: str | None = None) -> None:
        if public is not None:
            self.public = public
        super().__init__(self.public)


class InvalidToken(AuthError):
    """The bearer token is not accepted. One text for every cause (RFC 6750 §3.1 `invalid_token`)."""

    code = "INVALID_TOKEN"
    public = "访问令牌无效或已过期，请重新登录 / the access token is invalid or expired; sign in again"

    def __init__(self) -> None:
        super().__init__()


class UnknownPersona(AuthError):
    """No development persona has this name."""

    code = "UNKNOWN_PERSONA"


class TokenTooLarge(AuthError):
    """The principal's claims do not fit into an access token."""

    code = "TOKEN_TOO_LARGE"


class KeyUnusable(AuthError):
    """The signing key's file is damaged, foreign, or readable by others."""

    code = "KEY_UNUSABLE"


class ProductionRefused(AuthError):
    """A development stand-in was asked for in production."""

    code = "PRODUCTION_REFUSED"
    public = (
        "开发身份不得用于生产环境：请配置真实的统一身份认证 / "
        "the development identity does not run in production: configure a real identity provider"
    )


class StoreDown(AuthError):
    """No database answered: whatever was asked for has not been done (or nobody can say that it was)."""

    code = "STORE_UNAVAILABLE"
    public = "登录服务暂时不可用，请稍后再试 / sign-in is not available just now: try again soon"
    status = 503
    retry_after = 2.0


class Taken(AuthError):
    """A unique key exists already."""

    code = "TAKEN"


class Denied(AuthError):
    """A request of a browser that ends on an error page. `status` is the page's."""

    code = "DENIED"

    def __init__(self, code: str, public: str, status: int = 400) -> None:
        super().__init__(public)
        self.code, self.status = code, status
