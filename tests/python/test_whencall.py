"""`whencall(function, arguments, captures)`: `@when` as a call, for lambdas and functions that exist already."""

from __future__ import annotations

import pytest
from bocpy import Cown, quiesce, read, when, whencall


def total(*values):
    return sum(getattr(value, "value", value) for value in values)


def test_a_function_with_cowns_and_captures() -> None:
    result = whencall(total, [Cown(1), Cown(2)], [10, 20])
    assert isinstance(result, Cown)
    assert result.result() == 33


@pytest.mark.parametrize("make", [list, tuple])
def test_arguments_and_captures_may_be_lists_or_tuples(make: type) -> None:
    assert whencall(total, make([Cown(1)]), make([5])).result() == 6


def test_without_cowns_and_captures() -> None:
    assert whencall(total, [], []).result() == 0


def test_a_lambda() -> None:
    assert whencall(lambda cown: cown.value * 2, [Cown(4)], []).result() == 8


def test_a_lambda_with_captures_after_the_cowns() -> None:
    result = whencall(lambda a, b, x, y: (a.value, b.value, x, y), [Cown("a"), Cown("b")], ["x", "y"])
    assert result.result() == ("a", "b", "x", "y")


def test_lambdas_in_a_loop_keep_their_variable() -> None:
    results = [whencall(lambda cown: cown.value + i, [Cown(100)], []) for i in range(5)]  # noqa: B023
    assert [result.result() for result in results] == [100, 101, 102, 103, 104]


def test_groups_and_readers() -> None:
    a, b, c = Cown(1), Cown(2), Cown(3)

    def look(group, reader, readers):
        return [x.value for x in group], reader.value, [x.value for x in readers]

    assert whencall(look, [[a, b], read(c), read((a, b))], []).result() == ([1, 2], 3, [1, 2])


def test_captures_are_copies() -> None:
    capture = [1]
    cown = Cown(0)

    def change(cown, capture):
        capture.append(2)
        return capture

    result = whencall(change, [cown], [capture])
    capture.append("later")
    assert result.result() == [1, 2]
    assert capture == [1, "later"]


def test_a_cown_as_a_capture_is_not_acquired() -> None:
    held, carried = Cown(1), Cown(2)

    def look(held, carried):
        return held.acquired, carried.acquired, carried == also_carried

    also_carried = carried
    assert whencall(look, [held], [carried]).result() == (True, False, True)


def test_defaults_that_the_captures_do_not_fill() -> None:
    def look(cown, first, second="default"):
        return cown.value, first, second

    assert whencall(look, [Cown(1)], ["given"]).result() == (1, "given", "default")


class Counter:
    def __init__(self, step: int) -> None:
        self.step = step

    def add(self, cown, times=1):
        cown.value += self.step * times
        return cown.value

    @classmethod
    def name(cls, cown):
        return cls.__name__, cown.value

    @staticmethod
    def plain(cown):
        return cown.value


def test_a_bound_method() -> None:
    cown = Cown(1)
    counter = Counter(10)
    assert whencall(counter.add, [cown], []).result() == 11
    assert whencall(counter.add, [cown], [3]).result() == 41


def test_class_and_static_methods() -> None:
    assert whencall(Counter.name, [Cown(1)], []).result() == ("Counter", 1)
    assert whencall(Counter.plain, [Cown(2)], []).result() == 2


def test_it_can_be_called_in_a_behavior() -> None:
    cown = Cown(1)

    @when(cown)
    def outer(cown):
        return whencall(total, [cown], [1])

    assert outer.result().result() == 2
    quiesce()


def test_failures_go_to_the_result() -> None:
    result = whencall(lambda: 1 // 0, [], [])
    with pytest.raises(ZeroDivisionError):
        result.result()


@pytest.mark.parametrize("function", ["total", None, 5])
def test_something_that_is_no_function(function) -> None:
    with pytest.raises(TypeError):
        whencall(function, [Cown(1)], [])
    assert quiesce(stats=True) == []


@pytest.mark.parametrize("arguments", [[1], [None], [{Cown(1)}], [[1]], 5, Cown(1)])
def test_arguments_that_are_no_cowns(arguments) -> None:
    with pytest.raises(TypeError):
        whencall(total, arguments, [])
    assert quiesce(stats=True) == []


def test_a_capture_that_cannot_be_copied() -> None:
    import threading

    with pytest.raises(TypeError):
        whencall(total, [Cown(1)], [threading.Lock()])
