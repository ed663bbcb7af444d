"""How an authorization response travels: in the query, or by a form the browser posts; always with `iss`."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from auth.browser import language
from auth.documents import Client
from auth.pages import Pages
from auth.provider.landing import form_targets


class Delivery:
    """Answers clients through the browser. `issuer` goes with every answer (RFC 9207)."""

    def __init__(self, pages: Pages, issuer: str) -> None:
        self._pages, self._issuer = pages, issuer

    def answer(
        self, request: Request, client: Client, redirect_uri: str, mode: str, values: Mapping[str, str],
        ui_locales: str = "",
    ) -> Response:  # fmt: skip
        """Send `values` to an address that was proven to be the client's."""
        said = {**values, "iss": self._issuer}
        if mode == "form_post":
            return self._form(request, client, redirect_uri, said, ui_locales)
        joint = "&" if "?" in redirect_uri else "?"
        return self._pages.onward(f"{redirect_uri}{joint}{urlencode(said)}")

    def _form(
        self, request: Request, client: Client, redirect_uri: str, said: Mapping[str, str], ui_locales: str
    ) -> Response:
        english = language(request, ui_locales) == "en" and client.name_en
        return self._pages.show(
            request, "form_post", lang=ui_locales, form_action=form_targets({"redirect_uri": redirect_uri}),
            action=redirect_uri, fields=list(said.items()),
            client_name=client.name_en if english else client.name,
        )  # fmt: skip
