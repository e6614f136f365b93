"""Globals in behaviors: the binding of the moment of `@when`, and nothing is stored to them."""

from __future__ import annotations

import math
import sys
import warnings

import pytest
from boc_testing import run_in_namespace
from bocpy import when

FACTOR = 10
TABLE = {"a": [1, 2]}


def test_globals_keep_the_binding_of_the_moment() -> None:
    names = run_in_namespace(
        """
        from bocpy import Cown, when
        cown = Cown(None)
        with cown:
            value = "first"
            @when(cown)
            def first(cown): return value
            value = "second"
            @when(cown)
            def second(cown): return value
            value = "third"
        seen = first.result(), second.result()
        """
    )
    assert names["seen"] == ("first", "second")


def test_globals_that_changed_between_are_seen() -> None:
    names = run_in_namespace(
        """
        from bocpy import when
        table, seen = {"x": 1}, []
        def look(): return dict(table)
        seen.append(when()(look).result())
        table["x"] = 2
        seen.append(when()(look).result())
        table = {"y": 3}
        seen.append(when()(look).result())
        """
    )
    assert names["seen"] == [{"x": 1}, {"x": 2}, {"y": 3}]


def test_globals_of_helpers() -> None:
    names = run_in_namespace(
        """
        from bocpy import when
        base = 5
        def helper(x): return x + base
        def outer(x): return helper(x) * 2
        result = when()(lambda: outer(1)).result()
        """
    )
    assert names["result"] == 12


def test_globals_that_are_modules_and_their_attributes() -> None:
    @when()
    def behavior():
        return math.floor(math.pi), sys.version_info[:2], TABLE["a"], FACTOR

    assert behavior.result() == (3, sys.version_info[:2], [1, 2], 10)


def test_imports_inside() -> None:
    @when()
    def behavior():
        import json
        from os import path

        return json.dumps([1]), path.basename("/a/b")

    assert behavior.result() == ("[1]", "b")


def test_builtins() -> None:
    @when()
    def behavior():
        return sorted([3, 1]), isinstance(1, int), len("abc"), __name__, [*map(str, range(2))]

    assert behavior.result() == ([1, 3], True, 3, __name__, ["0", "1"])


def test_storing_a_global_warns_once_and_changes_nothing_outside() -> None:
    source = """
        from bocpy import when
        counter = 0
        def count():
            global counter
            counter = 5
            return counter
        first = when()(count)
        """
    with pytest.warns(RuntimeWarning, match="counter") as seen:
        names = run_in_namespace(source)
    assert len(seen) == 1
    assert names["first"].result() == 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert when()(names["count"]).result() == 5
    assert names["counter"] == 0


def test_storing_a_nonlocal_warns_and_changes_nothing_outside() -> None:
    counter = 0

    def count():
        nonlocal counter
        counter += 1
        return counter

    with pytest.warns(RuntimeWarning, match="counter"):
        first = when()(count)
    assert first.result() == 1
    assert when()(count).result() == 1
    assert counter == 0


def test_a_nonlocal_between_functions_inside_is_fine() -> None:
    @when()
    def behavior():
        total = 0

        def add(n):
            nonlocal total
            total += n

        for n in range(5):
            add(n)
        return total

    assert behavior.result() == 10
