"""Chance without memory: every draw is a function of (seed, kind, index)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TypeVar, overload

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@lru_cache(maxsize=4096)
def _kind(name: str) -> int:
    """A stable number for a kind of entity (FNV-1a, 64 bit); Python's `hash` differs between processes."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001B3) & _MASK
    return state


def scatter(state: int) -> int:
    """The finaliser of splitmix64: 64 bits in, 64 well mixed bits out."""
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)


class Dice:
    """Draws that depend on the seed, a kind and indexes, and on nothing drawn before."""

    __slots__ = ("_seed",)

    def __init__(self, seed: int) -> None:
        self._seed = scatter((seed + _STEP) & _MASK)

    def bits(self, kind: str, *index: int) -> int:
        """64 bits for this kind and index."""
        state = self._seed ^ _kind(kind)
        for part in index:
            state = scatter((state + (part + 1) * _STEP) & _MASK)
        return state

    def below(self, limit: int, kind: str, *index: int) -> int:
        """A number in range(limit)."""
        return self.bits(kind, *index) % limit

    def pick(self, choices: Sequence[T], kind: str, *index: int) -> T:
        """One of the choices."""
        return choices[self.bits(kind, *index) % len(choices)]

    def uuid(self, kind: str, *index: int) -> str:
        """A UUID-shaped identifier (version 4 layout)."""
        high, low = self.bits(kind, *index), self.bits(kind, *index, 1)
        return (
            f"{high >> 32:08x}-{high >> 16 & 0xFFFF:04x}-4{high & 0xFFF:03x}"
            f"-8{low >> 48 & 0xFFF:03x}-{low & 0xFFFFFFFFFFFF:012x}"
        )

    def digest(self, kind: str, *index: int) -> str:
        """32 hexadecimal digits, shaped like an MD5."""
        return f"{self.bits(kind, *index):016x}{self.bits(kind, *index, 2):016x}"


def check_digit(seventeen: str) -> str:
    """The eighteenth character of a resident ID (GB 11643-1999, ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * weight for digit, weight in zip(seventeen, _WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def resident_id(birth_date: str, sequence: int) -> str:
    """A resident ID of nobody: area 999999, ISO birth date, sequence 0-999 (odd: male)."""
    seventeen = f"999999{birth_date.replace('-', '')}{sequence:03d}"
    return seventeen + check_digit(seventeen)


class Lazy(Sequence[T_co]):
    """A sequence whose items are made when touched; slicing is O(1) and stays lazy."""

    __slots__ = ("_make", "_where")

    def __init__(self, where: range, make: Callable[[int], T_co]) -> None:
        self._where, self._make = where, make

    def __len__(self) -> int:
        return len(self._where)

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> Lazy[T_co]: ...
    def __getitem__(self, index: int | slice) -> T_co | Lazy[T_co]:
        if isinstance(index, slice):
            return Lazy(self._where[index], self._make)
        return self._make(self._where[index])

    def __iter__(self) -> Iterator[T_co]:
        return map(self._make, self._where)
