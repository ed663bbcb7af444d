"""Whether a session is enough for a request, and what is missing when it is not.

Rule: pure; every question about a session's age and strength is answered here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from auth.documents import Interaction, Session
from auth.provider.asked import Asked
from auth.provider.strength import satisfies

_SKEW = timedelta(seconds=20)  # an upstream's clock may run behind ours


@dataclass(frozen=True, slots=True)
class Lacking:
    """What a session lacks. `error` is what the client is told when nobody may be asked (prompt=none), or
    when asking did not help; `again`: whether signing in now could mend it."""

    error: str
    again: bool


def lacking(
    asked: Asked, session: Session | None, sub: str, interaction: Interaction | None, now: datetime
) -> Lacking | None:
    """What is missing of a session, whose person the client knows as `sub`, for what is asked; None: nothing.

    `interaction`: the one under way. Once it was answered by a sign-in, another would not help.
    """
    if session is None:
        return Lacking("login_required", True)
    if interaction is not None and interaction.params.get("_settled") == session.id:
        return _strength(asked, session, True)
    answered = interaction is not None and interaction.signed_in is not None
    fresh = answered and interaction is not None and session.auth_time >= interaction.created - _SKEW
    if asked.subject and asked.subject != sub:
        return Lacking("login_required", not answered)
    if "select_account" in asked.prompt and not answered:
        return Lacking("login_required", True)
    if not fresh and ("login" in asked.prompt or _too_old(asked, session, now)):
        return Lacking("login_required", not answered)
    return _strength(asked, session, answered)


def _strength(asked: Asked, session: Session, answered: bool) -> Lacking | None:
    if satisfies(session.acr, session.amr, asked.acr):
        return None
    # RFC 9470 §5 and OIDC's own code for it; before anybody was asked, a person could still mend it.
    return Lacking("unmet_authentication_requirements" if answered else "interaction_required", not answered)


def _too_old(asked: Asked, session: Session, now: datetime) -> bool:
    return asked.max_age is not None and now - session.auth_time > timedelta(seconds=asked.max_age)
