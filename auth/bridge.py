"""From Authlib's synchronous hooks to the asynchronous store, by greenlet; nothing here blocks the loop.

`await synchronous(call, *args)` runs `call` in a greenlet of this task. Inside it, `wait(awaitable)` hands
the awaitable out to the task and gets its result back, so a synchronous hook can use the store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

P = ParamSpec("P")
T = TypeVar("T")


class _Bridged(greenlet):
    """A greenlet that `synchronous` drives; `wait` is possible in it and nowhere else."""


class NotBridged(RuntimeError):
    """`wait` was called outside `synchronous`: a fault of ours, never of a caller."""


async def synchronous(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of `call(*args)`, whose calls of `wait` are awaited here. Cancellation goes through."""
    inner = _Bridged(call)
    told: Any = inner.switch(*args, **kwargs)
    while not inner.dead:
        try:
            value = await told
        except BaseException as error:  # also cancellation: the synchronous side must unwind
            told = inner.throw(error)
        else:
            told = inner.switch(value)
    result: T = told
    return result


def wait(awaitable: Awaitable[T]) -> T:
    """What `awaitable` gives, for synchronous code inside `synchronous`. Raises `NotBridged` elsewhere."""
    current = getcurrent()
    if not isinstance(current, _Bridged):
        close = getattr(awaitable, "close", None)
        if close is not None:
            close()
        raise NotBridged("wait() outside synchronous()")
    assert current.parent is not None, "a bridged greenlet is driven by its parent"
    result: T = current.parent.switch(awaitable)
    return result
