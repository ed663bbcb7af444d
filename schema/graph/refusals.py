"""Arguments that mean nothing are refused by name with what to write instead, never answered with nothing."""

from __future__ import annotations

from collections.abc import Mapping

MAY_BE_EMPTY = frozenset({"after", "id"})


class BadArgument(ValueError):
    """An argument, or several together, that cannot be answered; `public` says what to write instead."""

    code = "BAD_ARGUMENT"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.public = f"{zh} / {en}"


class UnknownRegion(BadArgument):
    """A region code that is not in the hub's table: an empty list would look like a place without schools."""

    code = "UNKNOWN_REGION"

    def __init__(self, code: str) -> None:
        super().__init__(
            f"区划表里没有代码 {code}；请用 regions(parent:) 查出现行代码",
            f"no region has the code {code}: look it up with regions(parent:)",
        )


def full(given: Mapping[str, object]) -> None:
    """Refuse empty texts as filters: whether one means "all" or "none" is not ours to guess.

    An empty cursor stands before the first page, and an empty id finds nothing, as any made-up one.
    """
    for name, value in given.items():
        if name in MAY_BE_EMPTY:
            continue
        if value == "" or (isinstance(value, list) and "" in value):
            said = _camel(name)
            raise BadArgument(f"参数 {said} 不能为空文本；不用它就不要写", f"{said} is empty: leave it out")


def _camel(name: str) -> str:
    head, *rest = name.strip("_").split("_")
    return head + "".join(map(str.capitalize, rest))
