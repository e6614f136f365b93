"""Named globals keep the binding of the moment; what was bound is let go of in time."""

from __future__ import annotations

import enum
import functools
import gc
import weakref
from pathlib import Path

import pytest
from boc_testing import FREE_THREADED, Gate, run_in_namespace, run_threads
from bocpy import Cown, quiesce, wait, when, whencall


class Color(enum.Enum):
    RED = 1


def test_a_loop_over_functions_at_module_level() -> None:
    names = run_in_namespace(
        """
        results = []
        for step in (abs, lambda x: x + 1, str):
            @when()
            def _():
                return step(-1)
            results.append(_)
        step = None
        """,
        when=when,
    )
    assert [result.result() for result in names["results"]] == [1, 0, "-1"]


def test_a_loop_over_modules_at_module_level() -> None:
    names = run_in_namespace(
        """
        import math, cmath
        results = []
        for module in (math, cmath):
            @when()
            def _():
                return module.sqrt(4)
            results.append(_)
        module = None
        """,
        when=when,
    )
    assert [type(result.result()) for result in names["results"]] == [float, complex]


def test_names_that_are_used_deep_inside_keep_their_binding() -> None:
    names = run_in_namespace(
        """
        results = []
        for i in range(3):
            @when()
            def _():
                class Local:
                    value = i
                    def get(self):
                        return [i + j for j in range(2)], (lambda: i)()
                return Local.value, Local().get()
            results.append(_)
        i = None
        """,
        when=when,
    )
    assert [result.result() for result in names["results"]] == [(i, ([i, i + 1], i)) for i in range(3)]


def test_names_reached_by_eval_and_globals() -> None:
    names = run_in_namespace(
        """
        x = 1
        @when(cown)
        def dynamic(cown):
            return eval("x"), globals()["x"], __name__
        x = 2
        """,
        when=when,
        cown=Cown(0),
    )
    assert names["dynamic"].result() == (1, 1, "nowhere")


def test_one_code_in_two_namespaces() -> None:
    code = compile("def tell(): return value, __name__", "<two>", "exec")
    spaces: list[dict] = [{"__name__": name, "value": [name]} for name in ("first", "second")]
    for space in spaces:
        exec(code, space)
    results = [when()(space["tell"]) for space in spaces * 2]
    assert [result.result() for result in results] == [(["first"], "first"), (["second"], "second")] * 2


def test_a_name_that_is_bound_later() -> None:
    names = run_in_namespace("def behavior():\n    return later")
    first = when()(names["behavior"])
    with pytest.raises(NameError, match="later"):
        first.result()
    names["later"] = 5
    assert when()(names["behavior"]).result() == 5
    del names["later"]
    with pytest.raises(NameError, match="later"):
        when()(names["behavior"]).result()


def test_a_builtin_that_the_module_replaces() -> None:
    names = run_in_namespace("def behavior():\n    return len([])")
    assert when()(names["behavior"]).result() == 0
    names["len"] = lambda _: "mine"
    assert when()(names["behavior"]).result() == "mine"
    del names["len"]
    assert when()(names["behavior"]).result() == 0


def test_each_behavior_that_stores_to_a_global_begins_afresh() -> None:
    names = run_in_namespace(
        """
        count = 0
        def up(by):
            global count
            count += by
            return count
        """
    )
    up = names["up"]
    with pytest.warns(RuntimeWarning, match=r"up\(\) \(<a test>:5\).*global variable 'count'"):
        results = [whencall(up, [], [1])]
    results += [whencall(up, [], [2]) for _ in range(3)]
    assert [result.result() for result in results] == [1, 2, 2, 2]
    assert names["count"] == 0


def test_what_a_behavior_may_ask_about_itself() -> None:
    @when()
    def named():
        import sys

        frame = sys._getframe()
        return frame.f_code.co_name, frame.f_globals["__name__"], Path(frame.f_globals["__file__"]).name, __name__

    assert named.result() == ("named", __name__, Path(__file__).name, __name__)


# What is kept, and for how long ---------------------------------------------------------------------------------------


class Loud:
    """Tells the gate when it goes."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def __del__(self) -> None:
        self.gate.arrive()


def test_captures_are_gone_after_wait(gate: Gate) -> None:
    def schedule() -> None:
        cowns = [Cown(Loud(gate)) for _ in range(5)]
        for cown in cowns:

            @when()
            def _():
                return cown is None  # noqa: B023

    schedule()
    wait()
    gc.collect()
    gate.wait_arrived(5)


@pytest.mark.skipif(FREE_THREADED, reason="the interpreter itself keeps code objects for ever")
def test_code_made_on_the_fly_goes_away() -> None:
    codes = []

    def schedule(i: int) -> None:
        names = run_in_namespace(
            f"""
            data = [{i}]
            def outer():
                free = {i}
                def inner():
                    return data, free
                return inner
            """
        )
        inner = names["outer"]()
        codes.append(weakref.ref(inner.__code__))
        assert when()(inner).result() == ([i], i)

    for i in range(20):
        schedule(i)
    wait()
    gc.collect()
    assert [code() for code in codes if code() is not None] == []


def test_one_function_with_many_bindings_in_many_threads() -> None:
    def make(kind, value):
        def behavior():
            return kind, value, Color.RED

        return behavior

    def schedule(thread: int) -> bool:
        results = [(i, when()(make([thread], i % 7))) for i in range(300)]
        return all(result.result() == ([thread], i % 7, Color.RED) for i, result in results)

    assert run_threads(*[functools.partial(schedule, thread) for thread in range(4)]) == [True] * 4
    quiesce()
