"""`@when`: what it accepts, what a behavior gets, what its result is, and what it refuses."""

from __future__ import annotations

import gc

import pytest
from boc_testing import SHORT, Gate
from bocpy import Cown, quiesce, read, when

# arguments of a behavior ---------------------------------------------------------------------------------------------


def test_when_replaces_the_function_by_its_result() -> None:
    @when(Cown(20))
    def answer(cown):
        return cown.value + 22

    assert isinstance(answer, Cown)
    assert answer.result() == 42


def test_when_is_an_ordinary_call_too() -> None:
    def double(cown):
        return 2 * cown.value

    assert when(Cown(4))(double).result() == 8
    assert double(type("Fake", (), {"value": 3})) == 6


def test_one_decorator_can_be_applied_twice() -> None:
    cown = Cown(0)
    on_cown = when(cown)

    def add(cown):
        cown.value += 1
        return cown.value

    assert [on_cown(add).result(), on_cown(add).result()] == [1, 2]


def test_arguments_are_cowns() -> None:
    @when(Cown(1), read(Cown(2)), [Cown(3)], read([Cown(4)]))
    def kinds(a, b, c, d):
        return [type(x) is Cown for x in (a, b, c[0], d[0])]

    assert kinds.result() == [True] * 4


def test_parameters_are_in_the_order_of_the_arguments() -> None:
    cowns = [Cown(i) for i in range(8)]

    @when(cowns[5], cowns[0], cowns[7], cowns[3])
    def values(a, b, c, d):
        return a.value, b.value, c.value, d.value

    assert values.result() == (5, 0, 7, 3)


def test_without_cowns() -> None:
    @when()
    def nothing():
        return "ran"

    assert nothing.result() == "ran"


@pytest.mark.parametrize("make", [list, tuple])
def test_groups_arrive_as_lists(make: type) -> None:
    group = make(Cown(i) for i in range(5))

    @when(Cown("before"), group, Cown("after"))
    def total(before, group, after):
        return before.value, type(group) is list, [c.value for c in group], after.value

    assert total.result() == ("before", True, [0, 1, 2, 3, 4], "after")


def test_an_empty_group_arrives_as_an_empty_list() -> None:
    @when([], Cown(1), ())
    def shapes(first, cown, second):
        return first, cown.value, second

    assert shapes.result() == ([], 1, [])


def test_a_group_is_read_when_it_is_scheduled() -> None:
    group = [Cown(1), Cown(2)]

    @when(group)
    def total(group):
        return sum(c.value for c in group)

    group.append(Cown(100))
    assert total.result() == 3


def test_a_large_group() -> None:
    group = [Cown(i) for i in range(2000)]

    @when(group)
    def total(group):
        return sum(c.value for c in group)

    assert total.result() == sum(range(2000))


def test_star_args() -> None:
    @when(Cown(1), [Cown(2), Cown(3)], read(Cown(4)))
    def collect(*args):
        one, group, four = args
        return one.value, [c.value for c in group], four.value

    assert collect.result() == (1, [2, 3], 4)


def test_star_args_after_named_parameters() -> None:
    @when(*[Cown(i) for i in range(4)])
    def collect(first, *rest, factor=10):
        return first.value, [c.value * factor for c in rest]

    assert collect.result() == (0, [10, 20, 30])


def test_star_args_without_cowns() -> None:
    @when()
    def collect(*args):
        return args

    assert collect.result() == ()


@pytest.mark.parametrize("twice", [lambda c: (c, c), lambda c: ([c, c],), lambda c: (c, [c]), lambda c: (c, read(c))])
def test_the_same_cown_more_than_once(twice) -> None:
    cown = Cown([])

    @when(*twice(cown))
    def once(*args):
        flat = [c for arg in args for c in (arg if isinstance(arg, list) else [arg])]
        flat[0].value.append("once")
        return len(flat), flat[0] == flat[1], flat[0].value is flat[1].value

    assert once.result() == (2, True, True)
    assert cown.result() == ["once"]


def test_a_behavior_holds_all_its_cowns_at_once(gate: Gate, two_workers: None) -> None:
    a, b = Cown("a"), Cown("b")

    @when(a)
    def busy(a):
        gate.pass_through()

    @when(b, a)
    def both(b, a):
        return b.value + a.value

    gate.wait_arrived()
    with pytest.raises(TimeoutError):
        both.result(timeout=SHORT)
    gate.open()
    assert both.result() == "ba"
    assert busy.result() is None


def test_different_cowns_run_in_parallel(gate: Gate, two_workers: None) -> None:
    for _ in range(2):

        @when(Cown(0))
        def meet(cown):
            gate.pass_through()

    gate.wait_arrived(2)
    gate.open()
    quiesce()


def test_one_cown_runs_one_behavior_at_a_time(gate: Gate, two_workers: None) -> None:
    cown = Cown([])

    @when(cown)
    def first(cown):
        gate.pass_through()
        cown.value.append("first")

    @when(cown)
    def second(cown):
        cown.value.append("second")

    gate.wait_arrived()
    assert second.acquired is False
    with pytest.raises(TimeoutError):
        second.result(timeout=SHORT)
    gate.open()
    assert cown.result() == ["first", "second"]


# results -------------------------------------------------------------------------------------------------------------


def test_results_are_scheduled_on_like_any_cown() -> None:
    @when()
    def two():
        return 2

    @when(two, Cown(3))
    def five(two, three):
        return two.value + three.value

    @when(two, five)
    def ten(two, five):
        two.value = None
        return five.value * 2

    assert ten.result() == 10
    assert two.result() is None


def test_a_long_chain_of_results() -> None:
    last = Cown(0)
    for _ in range(300):

        @when(last)
        def step(before):
            return before.value + 1

        last = step
    assert last.result() == 300


def test_the_result_is_none_without_return() -> None:
    @when(Cown(1))
    def quiet(cown):
        pass

    assert quiet.result() is None


def test_a_result_nobody_keeps() -> None:
    cown = Cown(0)

    def add(cown):
        cown.value += 1
        return [cown.value] * 100

    for _ in range(100):
        when(cown)(add)
    gc.collect()
    assert cown.result() == 100


def test_cowns_that_nobody_else_keeps() -> None:
    @when(Cown([1, 2]), [Cown(3)])
    def total(cown, group):
        gc.collect()
        return sum(cown.value) + group[0].value

    gc.collect()
    assert total.result() == 6


# behaviors that schedule ---------------------------------------------------------------------------------------------


def test_nested_behaviors() -> None:
    cown = Cown([])

    @when(cown)
    def outer(cown):
        cown.value.append("outer")

        @when(cown)
        def inner(cown):
            cown.value.append("inner")

        cown.value.append("still outer")

    quiesce()
    assert cown.result() == ["outer", "still outer", "inner"]
    assert outer.result() is None


def test_a_behavior_that_schedules_itself_again() -> None:
    cown = Cown(0)

    def again(cown, left):
        cown.value += 1
        if left:
            when(cown)(lambda cown: again(cown, left - 1))

    when(cown)(lambda cown: again(cown, 99))
    quiesce()
    assert cown.result() == 100


def test_a_tree_of_behaviors() -> None:
    count = Cown(0)

    def grow(depth):
        @when(count)
        def add(count):
            count.value += 1

        if depth:
            when()(lambda: grow(depth - 1))
            when()(lambda: grow(depth - 1))

    grow(6)
    quiesce()
    assert count.result() == 2**7 - 1
