"""Global ids: base64url of `letter|source|Type|local id`, and `H|hub|Type|key` for kinds all sources share.

The letter is the source's level (N, P, M, C, S). Nothing in an id is trusted: whoever decodes one looks the
thing up as the viewer, and a made-up id finds nothing. What a source calls a record about a person may be a
number of theirs, and others can be guessed from it: it stands in the id covered, and always alike.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from schema.graph.context import Sources
from schema.model.words import Kind, Word, WordSpec

HUB = ("H", "hub")
LONGEST = 1024
"""Most characters of an id that is looked at (RFC 4648 §5 alphabet, no padding)."""


@dataclass(frozen=True, slots=True)
class Ref:
    """What a global id points at; `key` as the directory knows it."""

    kind: Kind
    key: str


def encode(spec: WordSpec, key: str, sources: Sources) -> str:
    """The global id of the thing of this kind with this key."""
    letter, source, local = *HUB, key
    if not spec.shared:
        source, _, local = key.partition(":")
        face = sources.face(source)
        letter = face.level.letter if face else "X"
        if spec.about_person:
            local = sources.veil.name(local, _use(source, spec))
    return pack(f"{letter}|{source}|{spec.name}|{local}")


def decode(text: str, sources: Sources) -> Ref | None:
    """What `text` points at; None if it is no id, or not one that this hub would give out now."""
    letter, source, name, local = unpack(text)
    declared = Word.declared.get(name)
    if declared is None or not local or (kind := declared.spec.kind) is None:
        return None
    uncovered: str | None = local
    if declared.spec.about_person:
        uncovered = sources.veil.named(local, _use(source, declared.spec))
    if not uncovered:
        return None
    key = uncovered if declared.spec.shared else f"{source}:{uncovered}"
    return Ref(kind, key) if text == encode(declared.spec, key, sources) and letter != "X" else None


def _use(source: str, spec: WordSpec) -> str:
    return f"{source}|{spec.name}"


def pack(text: str) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unpack(text: str) -> tuple[str, str, str, str]:
    """The four parts, or four empty texts for what is no id."""
    if not 0 < len(text) <= LONGEST or not text.isascii():
        return ("", "", "", "")
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        return ("", "", "", "")
    parts = plain.split("|", 3)
    return (parts[0], parts[1], parts[2], parts[3]) if len(parts) == 4 else ("", "", "", "")
