"""What docs/migrating-from-0.9.md says of differences, and names that were internal: programs are told what to do."""

from __future__ import annotations

import functools
import importlib
import textwrap

import bocpy
import pytest
from boc_testing import Gate, output_of
from bocpy import Cown, Matrix, PinnedCown, notice_read, notice_update, start, wait, when, whencall


def test_the_class_of_the_runtime() -> None:
    hint = r"bocpy\.Behaviors was internal .* use start\(\), quiesce\(\) and wait\(\)"
    with pytest.raises(ImportError, match=hint):
        from bocpy import Behaviors  # noqa: F401
    with pytest.raises(ImportError, match=hint):
        _ = bocpy.Behaviors


def test_the_module_of_the_runtime() -> None:
    for _ in range(2):
        with pytest.raises(ImportError, match="import Cown, when, whencall, start and wait from bocpy"):
            importlib.import_module("bocpy.behaviors")


def test_other_names_are_unknown_as_usual() -> None:
    assert not hasattr(bocpy, "behaviours")
    with pytest.raises(ImportError, match="cannot import name 'Behaviour'"):
        from bocpy import Behaviour  # noqa: F401


def test_arguments_have_nothing_but_what_cowns_have() -> None:
    @when(Cown(1), [Cown(2)])
    def look(cown, group):
        internal = [name for name in ("get", "set", "disown", "impl") if hasattr(cown, name) or hasattr(group[0], name)]
        return internal, cown.acquired, isinstance(cown, Cown)

    assert look.result() == ([], True, True)


def test_cowns_of_containers_are_readable_after_wait_and_acquired_by_nobody() -> None:
    cowns = {"one": [Cown(1)]}

    @when(cowns["one"][0])
    def add(cown):
        cown.value += 1

    wait()
    assert cowns["one"][0].value == 2 and not cowns["one"][0].acquired
    with pytest.raises(RuntimeError, match="does not hold: call acquire"):
        cowns["one"][0].release()


def test_acquire_without_waiting(gate: Gate) -> None:
    cown = Cown(1)
    when(cown)(lambda _: gate.pass_through())
    gate.wait_arrived()
    with pytest.raises(TimeoutError, match="1 behavior pending"):
        cown.acquire(0)
    gate.open()


def test_a_behavior_that_returns_a_cown() -> None:
    inner = Cown(5)
    outer = when()(lambda: inner)
    found = outer.result()
    assert type(found) is Cown and found == inner


def test_a_captured_matrix_stays() -> None:
    matrix = Matrix(2, 2, 3.0)

    @when()
    def total(matrix=matrix):
        matrix[0, 0] = 0.0
        return matrix.sum()

    assert (total.result(), matrix.sum()) == (9.0, 12.0)


def test_whencall_starts_the_runtime_and_takes_any_callable() -> None:
    assert whencall(functools.partial(lambda scale, cown: scale * cown.value, 3), [Cown(2)]).result() == 6
    assert whencall(len, [[Cown(1), Cown(2)]]).result() == 2


def test_counters_that_both_have() -> None:
    start(1)
    when()(lambda: None)
    (counters,) = wait(stats=True)
    assert {"worker_index", "batch_resets", "steal_attempts", "steal_failures", "parked"} <= set(counters)


def test_waiting_in_a_pinned_behavior() -> None:
    @when(PinnedCown(0))
    def waits(_):
        bocpy.quiesce()

    with pytest.raises(RuntimeError, match="inside a behavior"):
        waits.result()


def test_an_update_that_fails_tells_its_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        notice_update("key", lambda value: value // 0, 1)
    assert notice_read("key") is None


def test_modules_of_workers_keep_their_state_over_wait() -> None:
    program = """
        import lib
        from bocpy import start, wait, when

        counts = []
        for _ in range(3):
            start(1)
            count = when()(lambda: lib.count())
            wait()
            counts.append(count.value)
        print(counts)
        """
    module = "calls = []\ndef count():\n    calls.append(1)\n    return len(calls)\n"
    assert output_of(textwrap.dedent(program), files={"lib.py": module}) == "[1, 2, 3]\n"


def test_a_library_that_schedules_first() -> None:
    """The script's own functions and classes are there all the same."""
    program = """
        import lib
        from bocpy import Cown, wait, when

        class Item:
            def __init__(self, n):
                self.n = n

        def double(item):
            return Item(2 * item.n)

        assert lib.first().result() == 1
        item = Cown(Item(4))

        @when(item)
        def doubled(item):
            return double(item.value)

        wait()
        assert type(doubled.value) is Item
        print(doubled.value.n)
        """
    library = "from bocpy import when\ndef first():\n    return when()(one)\ndef one():\n    return 1\n"
    assert output_of(textwrap.dedent(program), files={"lib.py": library}) == "8\n"


def test_a_script_with_options_and_counters_at_its_top() -> None:
    program = """
        import argparse
        from bocpy import wait, when

        print("once")
        parser = argparse.ArgumentParser()
        parser.add_argument("--scale", type=int, required=True)
        args = parser.parse_args()
        N = 0
        N += 5
        try:
            import no_such_module
        except ImportError:
            no_such_module = None
        if N:
            known = {"n": N}

        @when()
        def uses():
            return args.scale * N, no_such_module, known

        wait()
        print(uses.value)
        """
    assert output_of(textwrap.dedent(program), args=["--scale", "2"]) == "once\n(10, None, {'n': 5})\n"
