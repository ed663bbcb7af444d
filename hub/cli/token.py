"""`rongtong token`: a token for a persona of the demonstration."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

from auth.development import DevelopmentIdentity, DevelopmentIdentityWarning
from auth.keys import RING, KeyRing
from auth.tokens import AccessTokens
from hub.cli.demo_folder import personas_of
from hub.cli.say import Refusal, dumps


def run(persona: str, folder: Path, as_json: bool) -> None:
    """The command: refused where no demonstration has been."""
    token = made(persona, folder)
    print(dumps({"persona": persona, "token": token}) if as_json else token)


def made(persona: str, folder: Path) -> str:
    """The token; signed with the keys of the demonstration in `folder`."""
    from hub.app import AUDIENCE, ISSUER, KEYS

    people = personas_of(folder)
    keys = folder / ".rongtong" / KEYS
    if people is None or not (keys / RING).exists():
        raise Refusal(f"{folder} 里没有演示 / no demonstration there: run rongtong demo first", "NO_DEMO")
    tokens = AccessTokens(KeyRing.open(keys), issuer=ISSUER, audience=AUDIENCE)
    logging.getLogger("auth.development").setLevel(logging.ERROR)  # whoever asks for it knows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DevelopmentIdentityWarning)
        return DevelopmentIdentity(people, tokens, production=False).token(persona)
