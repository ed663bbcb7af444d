"""Which strokes kill which entries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hub.cache.tags import EVERYTHING, Tags

_NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def test_an_entry_older_than_a_stroke_against_its_tag_is_dead_and_a_younger_lives() -> None:
    tags = Tags()
    tags.learn("school:1", _NOON)
    assert tags.kills(["level:city", "school:1"], _NOON - _SECOND)
    assert tags.kills(["school:1"], _NOON)
    assert not tags.kills(["school:1"], _NOON + _SECOND)
    assert not tags.kills(["school:2"], _NOON - _SECOND)


def test_what_was_loading_when_its_tag_was_struck_is_dead() -> None:
    tags = Tags()
    began = tags.epoch
    tags.strike("school:1")
    assert tags.killed_since(["school:1"], None, began)
    assert not tags.killed_since(["school:1"], None, tags.epoch)
    assert not tags.killed_since(["school:2"], None, began)


def test_a_stroke_that_the_server_has_not_heard_of_kills_all_of_the_second_tier() -> None:
    tags = Tags()
    tags.strike("school:1")
    assert tags.kills(["school:1"], _NOON + timedelta(days=365))
    [(tag, stroke)] = tags.pending
    tags.settle(tag, _NOON, stroke)
    assert tags.pending == []
    assert not tags.kills(["school:1"], _NOON + _SECOND)


def test_a_tag_struck_again_while_the_first_stroke_was_published_still_waits() -> None:
    tags = Tags()
    tags.strike("school:1")
    [(tag, stroke)] = tags.pending
    tags.strike("school:1")
    tags.settle(tag, _NOON, stroke)
    assert tags.kills(["school:1"], _NOON + _SECOND)
    assert [tag for tag, _ in tags.pending] == ["school:1"]


def test_hearing_of_ones_own_stroke_kills_nothing_that_was_loaded_since() -> None:
    tags = Tags()
    tags.strike("school:1")
    [(tag, stroke)] = tags.pending
    began = tags.epoch
    tags.settle(tag, _NOON, stroke)
    tags.learn("school:1", _NOON)
    assert not tags.killed_since(["school:1"], None, began)


def test_a_stroke_against_everything_kills_everything() -> None:
    tags = Tags()
    tags.learn(EVERYTHING, _NOON)
    assert tags.kills([], _NOON)
    assert tags.killed_since(["school:1"], None, 0)


def test_forgotten_tags_kill_too_much_rather_than_too_little() -> None:
    tags = Tags(limit=10)
    for i in range(50):
        tags.learn(f"school:{i}", _NOON + i * _SECOND)
    assert len(tags) == 10
    for i in range(50):
        assert tags.kills([f"school:{i}"], _NOON + i * _SECOND)
    assert not tags.kills(["school:3"], _NOON + 60 * _SECOND)


def test_too_many_unpublished_strokes_become_one_against_everything() -> None:
    tags = Tags(pending_limit=10)
    for i in range(11):
        tags.strike(f"school:{i}")
    [(tag, stroke)] = tags.pending
    assert tag == EVERYTHING
    assert tags.kills(["anything"], _NOON)
    tags.settle(tag, _NOON, stroke)
    assert not tags.kills(["school:1"], _NOON + _SECOND)
