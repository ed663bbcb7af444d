"""Tier one: bounded, and the longest unused goes first."""

from __future__ import annotations

from hub.cache.memory import Memory


def test_the_longest_unused_goes_first() -> None:
    memory: Memory[str] = Memory(max_entries=2)
    memory.put("a", "A", 1)
    memory.put("b", "B", 1)
    assert memory.get("a") == "A"
    memory.put("c", "C", 1)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == ("A", None, "C")


def test_however_much_is_put_in_its_bytes_stay_bounded() -> None:
    memory: Memory[int] = Memory(max_bytes=100_000)
    for i in range(5_000):
        memory.put(str(i), i, 1_000)
        assert memory.bytes <= 100_000
    assert 50 < len(memory) < 100
    for i in range(5_000):
        memory.drop(str(i))
    assert (len(memory), memory.bytes) == (0, 0)


def test_what_is_too_large_is_not_kept_and_what_it_replaces_is_gone() -> None:
    memory: Memory[str] = Memory(entry_limit=1_000_000)
    assert memory.put("a", "small", 5)
    assert not memory.put("a", "huge", 1_000_001)
    assert memory.get("a") is None
    assert memory.bytes == 0


def test_replacing_a_value_counts_it_once() -> None:
    memory: Memory[str] = Memory()
    for _ in range(10):
        memory.put("a", "A", 1_000)
    assert memory.bytes < 2_000
    memory.clear()
    assert (len(memory), memory.bytes) == (0, 0)
