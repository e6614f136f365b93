"""What a behavior takes with it: copies, taken at the @when."""

from __future__ import annotations

import enum
import functools
import gc
import json
import math
import threading
import warnings
import weakref
from dataclasses import dataclass, field

import pytest
from boc_testing import Gate
from bocpy import Cown, TransferError, read, wait, when, whencall


@dataclass
class Box:
    content: list = field(default_factory=list)


class Color(enum.Enum):
    RED = 1


def held_up(gate: Gate) -> Cown:
    """A cown whose next behaviors wait until the gate opens."""
    cown: Cown = Cown(None)

    @when(cown)
    def _(cown):
        gate.pass_through()

    return cown


# Captures are copies --------------------------------------------------------------------------------------------------


def test_changes_after_the_when_are_not_seen(gate: Gate) -> None:
    cell, default, box = [1], {"a": [1]}, Box([1])
    text = "before"

    @when(held_up(gate))
    def taken(_, default=default, *, keyword=default):
        return cell, default, keyword, box.content, text

    cell.append(2)
    default["a"].append(2)
    box.content.append(2)
    text = "after"
    gate.open()
    assert taken.result() == ([1], {"a": [1]}, {"a": [1]}, [1], "before")


def test_changes_by_the_behavior_are_not_seen_outside() -> None:
    cell, default, extra = [1], [1], [1]

    def changes(given, default=default):
        for one in (cell, default, given):
            one.append(2)
        return len(cell), len(default), len(given)

    assert whencall(changes, [], [extra]).result() == (2, 2, 2)
    assert whencall(changes, [], [extra]).result() == (2, 2, 2)
    assert cell == default == extra == [1]


def test_captures_that_share_something_still_share_it() -> None:
    shared: list = []
    box = Box(shared)
    inside = {"key": (shared, box)}

    def check(given, default=inside, *, keyword=box):
        given.append(1)
        return [
            default["key"][0] is given,
            default["key"][1] is keyword,
            keyword.content is given,
            box is keyword,
            len(shared),
        ]

    assert whencall(check, [], [shared]).result() == [True, True, True, True, 1]
    assert shared == []


def test_cycles() -> None:
    ring: list = [1]
    ring.append((ring, {"ring": ring}))
    box = Box()
    box.content.append(box)

    @when()
    def check():
        return ring[1][0] is ring, ring[1][1]["ring"] is ring, box.content[0] is box

    assert check.result() == (True, True, True)


def test_classes_modules_and_members_are_the_same_objects() -> None:
    class Local:
        pass

    box, color, number = Box(), Color.RED, math

    @when(Cown(Local()))
    def check(cown):
        return type(cown.value) is Local, type(box) is Box, color is Color.RED, number is math, json is json

    assert check.result() == (True, True, True, True, True)


def test_a_captured_function_has_its_own_variables() -> None:
    seen: list = []

    def note(what):
        seen.append(what)
        return list(seen)

    def peek():
        return list(seen)

    @when()
    def twice():
        note(1)
        return note(2), peek()

    assert twice.result() == ([1, 2], [1, 2])
    assert seen == []


def test_captured_functions_share_a_variable() -> None:
    def counter():
        count: list = []

        def up():
            nonlocal count
            count = [*count, 1]

        def get():
            return len(count)

        return up, get

    up, get = counter()

    @when()
    def check():
        up()
        up()
        return get()

    assert check.result() == 2
    assert get() == 0


def test_a_captured_function_that_calls_itself() -> None:
    memo: dict = {}

    def fib(n):
        if n not in memo:
            memo[n] = n if n < 2 else fib(n - 1) + fib(n - 2)
        return memo[n]

    assert when()(lambda: (fib(30), len(memo))).result() == (832040, 31)
    assert memo == {}


def test_a_cached_function() -> None:
    @functools.lru_cache(maxsize=10)
    def square(x):
        return x * x

    assert when()(lambda: (square(3), square(3), square.cache_info().maxsize)).result() == (9, 9, 10)


def test_the_object_of_a_bound_method_is_a_capture() -> None:
    box = Box([1])

    class Counter:
        def __init__(self):
            self.calls: list = []

        def call(self, cown, by=2):
            self.calls.append(by)
            return len(self.calls), cown.value

    counter = Counter()
    assert when(Cown(5))(counter.call).result() == (1, 5)
    assert counter.calls == []
    assert whencall(box.content.count, [], [1]).result() == 1


def test_callables_without_code() -> None:
    class Adder:
        def __init__(self):
            self.terms = [1]

        def __call__(self, value):
            self.terms.append(value)
            return sum(self.terms)

    adder = Adder()
    assert whencall(adder, [], [2]).result() == 3
    assert adder.terms == [1]
    assert whencall(functools.partial(divmod, 7), [], [2]).result() == (3, 1)
    assert whencall(max, [], [[1, 3, 2]]).result() == 3
    assert whencall(Box, [], [[1]]).result() == Box([1])


def test_keyword_only_parameters_are_captures() -> None:
    def sums(cown, *, a=1, b=2):
        return cown.value, a, b

    assert when(Cown(0))(sums).result() == (0, 1, 2)
    sums.__kwdefaults__["b"] = 3
    assert when(Cown(0))(sums).result() == (0, 1, 3)
    with pytest.raises(TypeError, match="keyword-only parameter 'c'"):
        when(Cown(0))(lambda cown, *, c: c)


def test_a_cown_position_must_not_have_a_default() -> None:
    with pytest.raises(TypeError, match=r"2 cowns.*parameter 'b'.*default"):
        when(Cown(0), Cown(0))(lambda a, b=1: None)


def test_surplus_cowns_go_to_star_args() -> None:
    cowns = [Cown(i) for i in range(4)]

    def gather(first, *rest, times=2):
        return first.value, [times * cown.value for cown in rest]

    assert when(*cowns)(gather).result() == (0, [2, 4, 6])
    assert whencall(lambda *all: len(all), cowns, [7, 8]).result() == 6


# What is refused ------------------------------------------------------------------------------------------------------


class Unshowable:
    """Cannot be copied, and must not be shown either."""

    def __reduce__(self):
        raise ValueError("not me")

    def __repr__(self):
        raise AssertionError("repr() of a value was called")

    __str__ = __repr__


def capture_cell(value):
    def behavior():
        return value

    when()(behavior)


def capture_nested(value):
    inside = [{"deep": (value,)}]

    def helper():
        return inside

    when()(lambda: helper())


REFUSED = {
    "captured variable 'value'": capture_cell,
    "captured variable 'helper'": capture_nested,
    "default 'later'": lambda value: when()(lambda first=1, later=value: None),
    "default 'only'": lambda value: when()(lambda first=1, *, other=2, only=value: None),
    "capture 1": lambda value: whencall(lambda a, b: None, [], [1, value]),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("make", [threading.Lock, Unshowable, lambda: (i for i in "x")], ids=["lock", "own", "gen"])
def test_a_value_that_cannot_be_copied(what: str, make) -> None:
    with pytest.raises(TransferError) as refused:
        REFUSED[what](make())
    text = str(refused.value)
    assert text.startswith(what), text
    assert "Cown" in text and "read()" in text and "inside the behavior" in text
    assert isinstance(refused.value, TypeError)
    assert isinstance(refused.value.__cause__, Exception)


def test_nothing_is_left_behind_by_a_refusal() -> None:
    cown = Cown(0)
    kept = Box()
    gone = weakref.ref(kept)
    with pytest.raises(TransferError):
        whencall(lambda cown, a, b: None, [cown], [kept, threading.Lock()])
    del kept
    gc.collect()
    assert gone() is None
    assert when(cown)(lambda cown: "free").result() == "free"


def test_what_is_no_exception_comes_through() -> None:
    class Interrupts:
        def __reduce__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture_cell(Interrupts())


def test_a_structure_that_is_too_deep() -> None:
    deep: list = []
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(TransferError, match="captured variable 'value'") as refused:
        capture_cell(deep)
    assert isinstance(refused.value.__cause__, RecursionError)
    while deep:
        deep = deep[0]


def test_a_tuple_that_holds_itself_very_often() -> None:
    doubled: tuple = ()
    for _ in range(60):
        doubled = (doubled, doubled)
    assert when()(lambda: len(doubled)).result() == 2


def test_a_reduction_that_schedules() -> None:
    log = Cown([])

    class Busy:
        def __reduce__(self):
            @when(log)
            def _(log):
                log.value.append("reduced")

            wait()
            return Busy, ()

    busy = Busy()
    assert when()(lambda: type(busy) is Busy).result()
    assert "reduced" in log.result()


def test_a_reduction_that_changes_what_is_captured() -> None:
    held: list = []

    class Vandal:
        def __reduce__(self):
            held.clear()
            gc.collect()
            return Vandal, ()

    held += [Vandal(), [1], Vandal()]
    try:
        seen = when()(lambda: all(type(one) in (Vandal, list) for one in held))
    except TransferError as error:
        assert "changed size" in str(error)  # pickle notices since 3.14
    else:
        assert seen.result()
    assert held == []
    assert when()(lambda: held).result() == []


def test_large_captures_warn_once_per_place() -> None:
    large = list(range(200_000))

    def behavior(large=large):
        return len(large)

    with pytest.warns(RuntimeWarning, match=r"behavior\(\) \(.*test_capture.*MB.*read\(\)"):
        first = when()(behavior)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = when()(behavior)
        third = when(read(Cown(large)))(lambda large: len(large.value))
    assert first.result() == second.result() == third.result() == 200_000
