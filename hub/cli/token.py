"""`rongtong token`: a token for a persona of the demonstration."""

from __future__ import annotations

import warnings
from pathlib import Path

from auth.development import DevelopmentIdentity, DevelopmentIdentityWarning
from auth.keys import load_or_make
from auth.tokens import AccessTokens
from connectors.sandbox.country import Country
from hub.app import AUDIENCE, ISSUER
from hub.cli.demo import personas
from hub.cli.say import Refusal, dumps


def run(persona: str, folder: Path, as_json: bool) -> None:
    """The command: refused where no demonstration has been, or in production."""
    print(dumps({"persona": persona, "token": made(persona, folder)}) if as_json else made(persona, folder))


def made(persona: str, folder: Path) -> str:
    """The token; signed with the key of the demonstration in `folder`."""
    config = folder / "rongtong.toml"
    if not config.exists():
        raise Refusal(f"{folder} 里没有演示 / no demonstration there: run rongtong demo first", "NO_DEMO")
    keys = folder / ".rongtong"
    tokens = AccessTokens(load_or_make(keys), issuer=ISSUER, audience=AUDIENCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DevelopmentIdentityWarning)
        return DevelopmentIdentity(personas(Country()), tokens, production=False).token(persona)
