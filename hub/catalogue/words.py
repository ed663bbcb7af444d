"""From text to terms: what of a resource can be found, and what a search asks for.

Rule 1: a Chinese word counts as contained wherever its characters stand together, however the sentence
around it would be cut. So documents hold every dictionary word in them and each character.
Rule 2: both sides are normalised alike: NFKC (full-width becomes half-width), case folded, marks dropped.
Rule 3: everything is bounded, and nothing of a query is ever more than a value to compare with.
Rule 4: this file does no I/O. It cannot be async; cutting is CPU work for a thread.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import rjieba

MOST_TERMS = 16
"""Terms of a query; what comes after them is not looked at."""
MOST_QUERY = 200
MOST_TITLE = 300
MOST_BODY = 400
MOST_TITLE_TERMS = 120
MOST_ALL_TERMS = 200
MOST_WORD = 40
MOST_INITIALS = 8
MOST_STARTS = 16

_HAN = "〇々\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_CHUNK = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")
_IS_HAN = re.compile(rf"[{_HAN}]")
_INITIALS = re.compile(rf"[a-hj-tw-z]{{2,{MOST_INITIALS}}}")  # no syllable begins with i, u or v
_PARTICLES = frozenset("的了和与及")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a query asks for: `terms`, all of which must hold, and the `phrase` they make together.

    `loose`: the terms must hold in the title, being single characters that hold in too many other places.
    """

    terms: tuple[str, ...]
    phrase: str
    loose: bool = False


def normalised(text: str) -> str:
    """NFKC and case folded; lone surrogates, which no database stores, are dropped."""
    return unicodedata.normalize("NFKC", text.encode("utf-8", "ignore").decode()).casefold()


def squeezed(text: str) -> str:
    """Normalised text without anything but letters, digits and characters: 《圆 的 面积》 is 圆的面积."""
    return "".join(_CHUNK.findall(normalised(text)))


def terms_of(text: str, most: int) -> list[str]:
    """At most `most` different terms that `text` can be found by: words first, then single characters."""
    chunks = _CHUNK.findall(normalised(text))
    han = [chunk for chunk in chunks if _IS_HAN.match(chunk)]
    latin = (chunk[:MOST_WORD] for chunk in chunks if not _IS_HAN.match(chunk))
    words = (word for chunk in han for word in rjieba.cut_all(chunk) if len(word) > 1)
    return _first(most, latin, words, (char for chunk in han for char in chunk))


def initials_of(title: str) -> list[str]:
    """For each word of a title the pinyin initials from there on, as `~sxwk`; readings come from pypinyin."""
    words = [word for chunk in _han_chunks(title) for word in rjieba.cut(chunk, hmm=False)]
    letters = [_initials(word) for word in words[: MOST_STARTS + MOST_INITIALS]]
    starts = ("".join(letters[n : n + MOST_INITIALS])[:MOST_INITIALS] for n in range(len(letters)))
    return _first(MOST_STARTS, (f"~{start}" for start in starts if len(start) > 1))


def asked(text: str) -> Asked:
    """The terms of a query; none where it has neither letter, digit nor character."""
    text = text[:MOST_QUERY]
    words = _first(MOST_QUERY, (word for chunk in _CHUNK.findall(normalised(text)) for word in _cut(chunk)))
    telling = [word for word in words if word not in _PARTICLES]
    return Asked(tuple((telling or words)[:MOST_TERMS]), squeezed(text))


def loosened(asked: Asked) -> Asked | None:
    """The same query by its characters alone, for when nothing has its words: 圆周长 finds 圆的周长.

    None where that would ask the same again.
    """
    pieces = _first(
        MOST_TERMS, (p for term in asked.terms for p in (term if _IS_HAN.match(term) else [term]))
    )
    return None if tuple(pieces) == asked.terms else Asked(tuple(pieces), asked.phrase, loose=True)


def condition(field: str, term: str) -> dict[str, Any]:
    """The filter that holds where `field`, an array of terms, contains `term` or begins initials with it."""
    if _INITIALS.fullmatch(term):
        begun = {"$elemMatch": {"$gte": f"~{term}", "$lt": f"~{term}{{"}}  # "{" comes right after "z"
        return {"$or": [{field: {"$eq": term}}, {field: begun}]}
    return {field: {"$eq": term}}


def _han_chunks(text: str) -> list[str]:
    return [chunk for chunk in _CHUNK.findall(normalised(text)) if _IS_HAN.match(chunk)]


def _cut(chunk: str) -> list[str]:
    return rjieba.cut(chunk, hmm=False) if _IS_HAN.match(chunk) else [chunk[:MOST_WORD]]


@lru_cache(maxsize=50_000)
def _initials(word: str) -> str:
    from pypinyin import Style, lazy_pinyin  # its dictionaries take a fifth of a second: only for harvesters

    letters = lazy_pinyin(word, style=Style.FIRST_LETTER, errors=lambda unread: "_" * len(unread))
    return "".join(letter[:1] if "a" <= letter[:1] <= "z" else "_" for letter in letters)


def _first(most: int, *several: Iterable[str]) -> list[str]:
    """The first `most` different words of all."""
    found: dict[str, None] = {}
    for word in _chained(several):
        if len(found) >= most:
            break
        found[word] = None
    return list(found)


def _chained(several: Iterable[Iterable[str]]) -> Iterator[str]:
    for words in several:
        yield from words
