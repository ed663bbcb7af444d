"""`rongtong token`: a token for a persona of the demonstration."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

from auth.development import DevelopmentIdentity, DevelopmentIdentityWarning
from hub.cli.demo_folder import LOCAL, personas_of
from hub.cli.say import Refusal, dumps
from hub.clock import Clock


def run(persona: str, folder: Path, as_json: bool) -> None:
    """The command: refused where no demonstration has been."""
    token = made(persona, folder)
    print(dumps({"persona": persona, "token": token}) if as_json else token)


def made(persona: str, folder: Path) -> str:
    """The token; signed with the keys of the demonstration that runs in `folder`."""
    from hub.app import key_ring, tokens_of
    from hub.settings import load

    people = personas_of(folder)
    if people is None or not (folder / LOCAL).exists():
        raise Refusal(
            f"{folder} 里没有运行中的演示 / no demonstration runs there: run rongtong demo first", "NO_DEMO"
        )
    loaded = load(folder / LOCAL)
    tokens = tokens_of(loaded.settings, key_ring(loaded), Clock())
    logging.getLogger("auth.development").setLevel(logging.ERROR)  # whoever asks for it knows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DevelopmentIdentityWarning)
        return DevelopmentIdentity(people, tokens, production=False).token(persona)
