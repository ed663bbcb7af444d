"""A source that fails is left in peace, tried by one question, and taken up again."""

from __future__ import annotations

from connectors.errors import Malformed, Overloaded, Unavailable
from hub.sources.health import FAILURES, MOST_PATIENCE, REST, Health
from hub.sources.registry import rfc3339
from tests.hub.cache.turned_clock import TurnedClock


def health(clock: TurnedClock) -> Health:
    return Health(clock.monotonic, clock.epoch)


def fail(one: Health, times: int = FAILURES) -> None:
    for _ in range(times):
        one.broke(Unavailable("gone"))


def test_two_failures_in_a_row_are_forgiven_the_third_is_not() -> None:
    one = health(TurnedClock())
    fail(one, FAILURES - 1)
    assert one.admit()
    fail(one, 1)
    assert one.resting
    assert not one.admit()


def test_after_the_rest_one_question_goes_out_and_no_second_beside_it() -> None:
    clock = TurnedClock()
    one = health(clock)
    fail(one)
    clock.turn(REST)
    assert not one.resting
    assert one.admit()
    assert one.resting
    assert not one.admit()


def test_the_first_answer_ends_the_rest() -> None:
    clock = TurnedClock()
    one = health(clock)
    fail(one)
    clock.turn(REST)
    assert one.admit()
    one.succeeded(0.1)
    assert all(one.admit() for _ in range(5))


def test_a_probe_that_fails_begins_another_rest() -> None:
    clock = TurnedClock()
    one = health(clock)
    fail(one)
    clock.turn(REST)
    assert one.admit()
    one.broke(Malformed("nonsense"))
    assert not one.admit()
    clock.turn(REST)
    assert one.admit()


def test_a_probe_that_is_given_up_leaves_room_for_the_next() -> None:
    clock = TurnedClock()
    one = health(clock)
    fail(one)
    clock.turn(REST)
    assert one.admit()
    one.abandoned()
    assert one.admit()


def test_a_source_that_asks_for_patience_gets_it_at_once() -> None:
    clock = TurnedClock()
    one = health(clock)
    one.broke(Overloaded("later", retry_after=30.0))
    assert not one.admit()
    clock.turn(29.0)
    assert not one.admit()
    clock.turn(1.0)
    assert one.admit()


def test_no_source_is_left_in_peace_for_longer_than_a_minute() -> None:
    clock = TurnedClock()
    one = health(clock)
    one.broke(Overloaded("next year", retry_after=31_536_000.0))
    clock.turn(MOST_PATIENCE)
    assert one.admit()


def test_operators_see_how_it_went() -> None:
    clock = TurnedClock()
    one = health(clock)
    assert one.shown(rfc3339) == {"state": "unknown", "answered": 0, "failed": 0}
    one.succeeded(0.25)
    one.broke(Unavailable("gone"))
    shown = one.shown(rfc3339)
    assert shown["state"] == "failing"
    assert shown["median_ms"] == 250.0
    assert shown["last_error_code"] == "SOURCE_UNAVAILABLE"
    assert shown["last_success_at"] == rfc3339(clock.epoch())
    fail(one)
    assert one.shown(rfc3339)["state"] == "down"
