"""Every function works as a behavior: nested, closures, loop variables, lambdas, methods, decorated ones."""

from __future__ import annotations

import contextlib
import functools
import math
from dataclasses import dataclass

import pytest
from boc_testing import run_in_namespace
from bocpy import Cown, quiesce, when, whencall

FACTOR = 10


def module_level(cown):
    return helper(cown.value)


def helper(value):
    return FACTOR * value


# closures and captures -----------------------------------------------------------------------------------------------


def test_a_module_level_function() -> None:
    assert when(Cown(2))(module_level).result() == 20


def test_a_closure() -> None:
    x, y = 5, [1, 2]

    @when(Cown(1))
    def closure(cown):
        return cown.value + x + sum(y)

    assert closure.result() == 9


def test_a_closure_of_a_closure() -> None:
    def make(x):
        def inner(y):
            @when(Cown(1))
            def behavior(cown):
                return cown.value, x, y

            return behavior

        return inner

    assert make(2)(3).result() == (1, 2, 3)


def test_a_closure_over_functions() -> None:
    step = 3

    def double(x):
        return 2 * x + step

    @when(Cown(1))
    def behavior(cown):
        return double(cown.value)

    assert behavior.result() == 5


def test_a_recursive_closure() -> None:
    def factorial(n):
        return n * factorial(n - 1) if n else 1

    assert when()(lambda: factorial(10)).result() == math.factorial(10)


def test_a_variable_that_is_assigned_after_the_when() -> None:
    value = "at @when"

    @when()
    def seen():
        return value

    value = "later"
    assert seen.result() == "at @when"
    assert value == "later"


def test_a_closure_cell_that_is_still_empty() -> None:
    @when()
    def too_early():
        return not_yet

    with pytest.raises(NameError, match="not_yet"):
        too_early.result()
    not_yet = 1
    assert not_yet == 1


def test_a_loop_variable_in_a_function() -> None:
    cown, results = Cown([]), []
    for i in range(5):

        @when(cown)
        def step(cown):
            cown.value.append(i)  # noqa: B023
            return i  # noqa: B023

        results.append(step)
    assert cown.result() == [0, 1, 2, 3, 4]
    assert [result.result() for result in results] == [0, 1, 2, 3, 4]


def test_a_loop_variable_at_module_level() -> None:
    names = run_in_namespace(
        """
        from bocpy import Cown, when
        cown = Cown([])
        for i in range(5):
            @when(cown)
            def _(cown):
                cown.value.append(i)
        i = "over"
        seen = cown.result()
        """
    )
    assert names["seen"] == [0, 1, 2, 3, 4]


def test_defaults_are_captures() -> None:
    items = [1]

    @when(Cown(1))
    def behavior(cown, items=items, *, extra=FACTOR):
        items.append(2)
        return cown.value, items, extra

    items.append("later")
    assert behavior.result() == (1, [1, 2], 10)
    assert items == [1, "later"]


def test_each_behavior_has_its_own_defaults() -> None:
    def behavior(cown, items=[]):  # noqa: B006
        items.append(cown.value)
        return items

    cown = Cown("x")
    assert [when(cown)(behavior).result() for _ in range(3)] == [["x"]] * 3
    assert behavior.__defaults__ == ([],)


def test_cowns_as_captures_can_be_scheduled_on() -> None:
    first, second = Cown(1), Cown(2)

    @when(first)
    def outer(first):
        @when(first, second)
        def inner(first, second):
            second.value += first.value

    quiesce()
    assert second.result() == 3
    assert outer.result() is None


# lambdas and methods -------------------------------------------------------------------------------------------------


def test_lambdas() -> None:
    x = 4
    assert when(Cown(1))(lambda cown: cown.value + x).result() == 5
    assert whencall(lambda cown, y: cown.value + x + y, [Cown(1)], [10]).result() == 15


@dataclass
class Account:
    balance: Cown
    fee: int = 1

    def pay(self, amount):
        @when(self.balance)
        def paid(balance):
            balance.value -= amount + self.fee
            return self.total(balance.value)

        return paid

    def total(self, value):
        return f"left: {value}"

    def look(self, balance):
        return self.fee, balance.value

    @property
    def current(self):
        return when(self.balance)(lambda balance: balance.value)

    def __call__(self, balance):
        return "called", balance.value


def test_behaviors_in_methods() -> None:
    account = Account(Cown(100))
    assert account.pay(9).result() == "left: 90"
    assert account.current.result() == 90


def test_a_bound_method_as_a_behavior() -> None:
    account = Account(Cown(5), fee=7)
    assert when(account.balance)(account.look).result() == (7, 5)


class Base:
    def name(self):
        return "base"


class Derived(Base):
    __secret = 6

    def name(self):
        @when()
        def behavior():
            return super(Derived, self).name(), self.__secret

        return behavior


def test_super_and_private_names() -> None:
    assert Derived().name().result() == ("base", 6)


def test_behaviors_in_class_bodies() -> None:
    class Body:
        cown = Cown(1)

        @when(cown)
        def result(cown):
            return cown.value + 1

    assert Body.result.result() == 2


# decorators ----------------------------------------------------------------------------------------------------------


def doubled(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return 2 * function(*args, **kwargs)

    return wrapper


def test_a_decorator_below_when() -> None:
    @when(Cown(3), Cown(4))
    @doubled
    def behavior(a, b):
        return a.value + b.value

    assert behavior.result() == 14


def test_a_decorator_below_when_with_a_closure() -> None:
    x = 10

    @when(Cown(3))
    @doubled
    @doubled
    def behavior(a):
        return a.value + x

    assert behavior.result() == 52


def test_a_decorator_above_when_gets_the_result() -> None:
    seen = []

    @seen.append
    @when(Cown(3))
    def behavior(a):
        return a.value

    assert seen[0].result() == 3
    assert behavior is None


def test_context_managers_and_generators_inside() -> None:
    @contextlib.contextmanager
    def marked(log):
        log.append("in")
        yield log
        log.append("out")

    @when(Cown([]))
    def behavior(cown):
        with marked(cown.value) as log:
            log.extend(x * x for x in range(3))
        return cown.value

    assert behavior.result() == ["in", 0, 1, 4, "out"]


# what the function knows of itself -----------------------------------------------------------------------------------


def test_one_function_many_times() -> None:
    cown = Cown(0)

    def add(cown, step=2):
        cown.value += step

    for _ in range(500):
        when(cown)(add)
    assert cown.result() == 1000
    assert add.__defaults__ == (2,)


def test_the_function_is_unchanged() -> None:
    def behavior(cown: Cown) -> int:
        """Its text."""
        return 1

    code, attributes = behavior.__code__, dict(vars(behavior))
    assert when(Cown(1))(behavior).result() == 1
    assert behavior.__code__ is code and vars(behavior) == attributes
    assert behavior.__doc__ == "Its text."


def test_asserts_rewritten_by_pytest() -> None:
    @when(Cown(1))
    def checks(cown):
        assert cown.value == 1 + 1

    with pytest.raises(AssertionError) as error:
        checks.result()
    assert error.value.args[0].startswith("assert 1 == (1 + 1)")


def test_a_large_function() -> None:
    body = "\n".join(f"    total += {i}" for i in range(3000))
    names = run_in_namespace(f"def large(cown):\n    total = cown.value\n{body}\n    return total")
    assert when(Cown(1))(names["large"]).result() == 1 + sum(range(3000))


def test_many_parameters_and_captures() -> None:
    cowns = [Cown(i) for i in range(60)]
    captured = {f"c{i}": i for i in range(100)}
    parameters = ", ".join([f"a{i}" for i in range(60)] + [f"{name}={value}" for name, value in captured.items()])
    total = " + ".join([f"a{i}.value" for i in range(60)] + list(captured))
    names = run_in_namespace(f"def many({parameters}):\n    return {total}")
    assert when(*cowns)(names["many"]).result() == sum(range(60)) + sum(range(100))
