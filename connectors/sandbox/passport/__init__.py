"""Five identity providers of the sandbox country, one a level; all people are synthetic.

    nation-passport    NATIONAL    体系枢纽 ticket      ticket.py
    province-passport  PROVINCIAL  CAS 3 (and 2)        cas.py
    city-passport      MUNICIPAL   OAuth 2 code flow    oauth2.py
    county-passport    COUNTY      OpenID Connect       oidc.py
    school-passport    SCHOOL      OpenID Connect       oidc.py

`app(country, name)` makes one. People sign in at its own page with `Person.login` and `demo_password`; it
remembers them by a cookie of its own name, so that five of them live side by side on 127.0.0.1.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette

from connectors.sandbox.country import Country
from connectors.sandbox.passport import cas, oauth2, oidc, ticket
from connectors.sandbox.passport.people import PASSPORTS, demo_password, demo_users

__all__ = ["PASSPORTS", "app", "demo_password", "demo_users"]

KINDS: dict[str, Callable[..., Starlette]] = {
    "nation-passport": ticket.app,
    "province-passport": cas.app,
    "city-passport": oauth2.app,
    "county-passport": oidc.app,
    "school-passport": oidc.app,
}


def app(country: Country, name: str) -> Starlette:
    """The passport of that name."""
    return KINDS[name](country, PASSPORTS[name])
