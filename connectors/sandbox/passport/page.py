"""The pages of a passport: signing in, being signed in, what went wrong; plain HTML without script."""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse

from connectors.sandbox.country import Person
from connectors.sandbox.passport.people import Passport

_HEADERS = {
    # A form's answer leads back to the hub, on another port: browsers check that, too.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; "
        "form-action 'self' http://127.0.0.1:* http://localhost:*"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STYLE = """
*{box-sizing:border-box}body{margin:0;min-height:100vh;background:#f4f5f7;color:#1f2430;
font:16px/1.6 "Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;display:grid;
grid-template-rows:auto 1fr auto}
header{background:var(--own);color:#fff;padding:1rem 1.25rem}header b{font-size:1.15rem}
header span{display:block;font-size:.85rem;opacity:.9}
main{width:min(25rem,100% - 2rem);margin:2.5rem auto;padding:1.75rem;background:#fff;border-radius:.75rem;
box-shadow:0 1px 3px #0002,0 8px 24px #0001;align-self:start}
h1{margin:0 0 1.25rem;font-size:1.35rem}small{color:#5b6270;font-weight:400}
label{display:block;margin:0 0 1rem;font-size:.95rem}label.tick{display:flex;gap:.5rem;align-items:center}
input:not([type=checkbox]){display:block;width:100%;margin-top:.25rem;padding:.6rem .75rem;font:inherit;
border:1px solid #b8bfca;border-radius:.4rem}input:focus,button:focus,a:focus{outline:3px solid #7fb2ff}
button{width:100%;padding:.7rem;border:0;border-radius:.4rem;background:var(--own);color:#fff;font:inherit;
font-weight:600;cursor:pointer}[role=alert]{margin:0 0 1rem;padding:.6rem .75rem;border-radius:.4rem;
background:#fdecec;color:#8f1d1d;font-size:.95rem}footer{padding:1rem;text-align:center;color:#5b6270;
font-size:.85rem}
"""


def sign_in(
    passport: Passport, action: str, *, login: str = "", wrong: bool = False, face: bool = False
) -> HTMLResponse:
    """The login page; its form goes to `action`, the address it was asked for by."""
    alert = '<p role="alert">用户名或密码不正确<br><small>wrong user name or password</small></p>'
    step = (
        '<label class="tick"><input type="checkbox" name="face" value="1">'
        "<span>刷脸核验（沙盒中直接通过） <small>compare my face</small></span></label>"
    )
    body = f"""<h1>登录 <small>Sign in</small></h1>{alert if wrong else ""}
<form method="post" action="{escape(action)}">
<label>用户名 <small>user name</small>
<input name="username" value="{escape(login)}" autocomplete="username" autocapitalize="none" required></label>
<label>密码 <small>password</small>
<input name="password" type="password" autocomplete="current-password" required></label>
{step if face else ""}<button>登录 Sign in</button></form>"""
    return _page(passport, "登录", body, 401 if wrong else 200)


def signed_in(passport: Passport, person: Person, action: str) -> HTMLResponse:
    """Who is signed in, and the way out."""
    body = f"""<h1>{escape(person.name)} <small>{escape(person.login)}</small></h1>
<p>您已登录。<br><small>You are signed in.</small></p>
<form method="post" action="{escape(action)}"><button>退出登录 Sign out</button></form>"""
    return _page(passport, "已登录", body)


def message(passport: Passport, chinese: str, english: str, status: int = 200) -> HTMLResponse:
    """One sentence."""
    body = f"<h1>{escape(chinese)}</h1><p><small>{escape(english)}</small></p>"
    return _page(passport, chinese, body, status)


def _page(passport: Passport, title: str, body: str, status: int = 200) -> HTMLResponse:
    text = f"""<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>{escape(title)} · {escape(passport.title)}</title>
<style>:root{{--own:{passport.colour}}}{_STYLE}</style></head><body>
<header><b>{escape(passport.title)}（沙盒）</b><span>{escape(passport.title_en)} (sandbox)</span></header>
<main>{body}</main>
<footer>沙盒：人员均为合成，并非真实系统<br>A sandbox: all people are synthetic</footer></body></html>"""
    return HTMLResponse(text, status, _HEADERS)
