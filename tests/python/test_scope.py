"""`with scope() as s:` waits for what was scheduled inside, and raises what failed there."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

import pytest
from boc_testing import DEADLINE, SHORT, Gate, caught, output_of, run_threads
from bocpy import CancelledError, Cown, quiesce, receive, scope, send, wait, when

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup, ExceptionGroup


def add(cown, step=1):
    cown.value += step


def boom(message):
    raise ValueError(message)


# waiting -------------------------------------------------------------------------------------------------------------


def test_exit_waits_for_what_was_scheduled_inside(gate: Gate, two_workers: None) -> None:
    with scope():

        @when()
        def slow():
            gate.pass_through()
            return "done"

        gate.wait_arrived()
        threading.Timer(SHORT, gate.open).start()
    assert slow.result(timeout=0) == "done"


def test_exit_does_not_wait_for_others(gate: Gate, two_workers: None) -> None:
    when()(lambda: gate.pass_through())
    gate.wait_arrived()
    with scope():
        inside = when()(lambda: 1)
    assert inside.result(timeout=0) == 1


def test_exit_waits_for_nested_behaviors() -> None:
    cown = Cown(0)

    def chain(left):
        @when(cown)
        def step(cown):
            cown.value += 1
            if left > 1:
                chain(left - 1)

    with scope():
        chain(50)
    assert cown.result(timeout=0) == 50


def test_exit_waits_for_a_tree() -> None:
    cown = Cown(0)

    def grow(depth):
        when(cown)(add)
        if depth:
            when()(lambda: grow(depth - 1))
            when()(lambda: grow(depth - 1))

    with scope():
        grow(5)
    assert cown.result(timeout=0) == 2**6 - 1


def test_an_empty_scope() -> None:
    with scope() as s:
        pass
    with scope() as s:
        s.wait()


def test_the_methods_of_a_scope() -> None:
    cown = Cown(1)
    with scope() as s:

        @s.when(cown)
        def by_decorator(cown):
            return cown.value

        by_call = s.whencall(lambda cown, extra: cown.value + extra, [cown], [10])
    assert (by_decorator.result(timeout=0), by_call.result(timeout=0)) == (1, 11)


def test_other_threads_use_the_scope_itself(gate: Gate, two_workers: None) -> None:
    cown = Cown(0)
    with scope() as s:

        def outside():
            when()(lambda: gate.pass_through())  # another thread is not in the scope: nobody waits for this one

        def inside():
            for _ in range(100):
                s.when(cown)(add)

        run_threads(outside, inside)
    assert cown.result(timeout=0) == 100


def test_nested_scopes() -> None:
    cown = Cown([])

    def note(cown, item):
        cown.value.append(item)

    with scope() as outer:
        outer.whencall(note, [cown], ["outer"])
        with scope() as inner:
            inner.whencall(note, [cown], ["inner"])
        assert cown.result(timeout=0)[-1] == "inner"
        when(cown)(lambda cown: note(cown, "outer again"))
    assert cown.result(timeout=0) == ["outer", "inner", "outer again"]


def test_after_its_end_a_scope_is_current_no_longer(gate: Gate, two_workers: None) -> None:
    with scope() as first:
        pass
    when()(lambda: gate.pass_through())
    first.wait(timeout=5)
    with scope():
        pass


def test_a_task_enters_a_scope_for_itself(two_workers: None) -> None:
    """Outside behaviors the current scope is a context variable: another task of the same thread is not in it."""

    async def enters(started, finished):
        with scope() as s:
            when()(lambda: 1)
            started.set()
            await finished.wait()
        return s

    async def fails_outside(started, finished):
        await started.wait()
        result = when()(lambda: boom("outside"))
        finished.set()
        return result

    async def main():
        started, finished = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(enters(started, finished), fails_outside(started, finished))

    _, result = asyncio.run(main())  # the scope would raise the failure if the other task were inside
    with pytest.raises(ValueError, match="outside"):
        result.result()


def test_a_task_passes_its_scope_to_its_subtasks(gate: Gate, two_workers: None) -> None:
    async def child():
        return when()(lambda: boom("in a subtask"))

    async def main():
        with scope():
            await asyncio.gather(child())

    with pytest.raises(ExceptionGroup) as error:
        asyncio.run(main())
    assert [str(e) for e in error.value.exceptions] == ["in a subtask"]


def test_wait_of_a_scope(gate: Gate, two_workers: None) -> None:
    with scope() as s:
        result = when()(lambda: gate.pass_through())
        with pytest.raises(TimeoutError):
            s.wait(timeout=SHORT)
        with pytest.raises(TimeoutError):
            s.wait(0)
        gate.open()
        assert s.wait() is None
        assert result.result(timeout=0) is None
        later = when()(lambda: "later")
    assert later.result(timeout=0) == "later"


def test_done_is_a_cown_to_schedule_on(gate: Gate, two_workers: None) -> None:
    with scope() as s:
        when()(lambda: gate.pass_through())
        assert isinstance(s.done, Cown)
        gate.open()
    assert when(s.done)(lambda done: "after").result() == "after"


def test_scopes_in_many_threads() -> None:
    def count():
        for _ in range(20):
            cown = Cown(0)
            with scope():
                for _ in range(10):
                    when(cown)(add)
            assert cown.result(timeout=0) == 10

    run_threads(count, count, count)


# failures ------------------------------------------------------------------------------------------------------------


def test_unhandled_errors_rise_as_a_group(unraisable: list[str]) -> None:
    with pytest.raises(ExceptionGroup) as error, scope():
        when()(lambda: boom("one"))
        fine = when()(lambda: "fine")
        when()(lambda: boom("two"))
    assert sorted(str(e) for e in error.value.exceptions) == ["one", "two"]
    assert {type(e) for e in error.value.exceptions} == {ValueError}
    assert fine.result() == "fine"
    wait()
    assert unraisable == []  # collected means looked at


def test_one_error_is_a_group_too() -> None:
    with pytest.raises(ExceptionGroup) as error, scope():
        when()(lambda: boom("one"))
    assert len(error.value.exceptions) == 1


def test_errors_of_nested_behaviors_rise() -> None:
    with pytest.raises(ExceptionGroup) as error, scope():
        when()(lambda: when()(lambda: boom("deep")) and None)
    assert [str(e) for e in error.value.exceptions] == ["deep"]


def test_errors_that_are_no_exceptions_rise() -> None:
    def leave():
        raise SystemExit(3)

    with pytest.raises(BaseExceptionGroup) as error, scope():
        when()(leave)
    assert [type(e) for e in error.value.exceptions] == [SystemExit]


def test_handled_errors_do_not_rise() -> None:
    with scope():
        result = when()(lambda: boom("handled"))
        with pytest.raises(ValueError, match="handled"):
            result.result()


def test_failures_do_not_cancel_siblings() -> None:
    cown = Cown(0)
    with pytest.raises(ExceptionGroup), scope():
        for _ in range(10):
            when(cown)(add)
            when(cown)(lambda cown: boom("one of many"))
    assert cown.result() == 10


def test_the_errors_of_an_inner_scope_rise_there() -> None:
    with scope():
        with pytest.raises(ExceptionGroup), scope():
            when()(lambda: boom("inner"))
        fine = when()(lambda: "fine")
    assert fine.result() == "fine"


def test_the_exception_of_the_body_goes_on() -> None:
    cown = Cown(0)
    with pytest.raises(KeyError, match="body"), scope():
        when(cown)(add)
        raise KeyError("body")
    quiesce()


def test_if_the_body_raises_the_unbegun_are_cancelled_and_the_running_awaited(
    no_messages: None, two_workers: None
) -> None:
    cown, results = Cown([]), []

    def until_cancelled(cown):
        send("begun", 1)
        try:
            receive("never")
        except CancelledError:
            time.sleep(SHORT)  # the scope is cancelled, and waits

    with pytest.raises(KeyError), scope() as s:
        running = when(cown)(until_cancelled)
        results = [s.whencall(lambda cown, item: cown.value.append(item), [cown], [item]) for item in range(400)]
        assert receive("begun", DEADLINE) == ("begun", 1)
        raise KeyError
    assert running.result(timeout=0) is None
    assert cown.result() == []
    assert [caught(result.result)[0] for result in results] == ["CancelledError"] * 400


def test_failures_behind_an_exception_of_the_body_are_reported(unraisable: list[str]) -> None:
    with pytest.raises(KeyError), scope():
        failed = when()(lambda: boom("behind"))
        quiesce()
        raise KeyError
    wait()
    assert len(unraisable) == 1 and "behind" in unraisable[0]
    del failed


def test_ctrl_c_at_the_exit_of_a_scope() -> None:
    """What has not begun is dropped, what runs ends by itself, and the runtime stays usable."""
    program = """
import os, signal, threading, time
from bocpy import Cown, quiesce, scope, start, when
start(1)
opened_in, opened_out = os.pipe()
begun_in, begun_out = os.pipe()
cown = Cown([])
interrupted = threading.Event()

def slow(cown):
    os.write(begun_out, b"x")
    os.read(opened_in, 1)
    cown.value.append("slow")

def interrupt():
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)
    # One that comes before the exit has the exit wait for what runs: that needs another.
    if not interrupted.wait(5):
        os.kill(os.getpid(), signal.SIGINT)

try:
    with scope():
        when(cown)(slow)
        dropped = when(cown)(lambda cown: cown.value.append("dropped"))
        os.read(begun_in, 1)
        threading.Thread(target=interrupt).start()
except KeyboardInterrupt:
    interrupted.set()
    print("interrupted")
os.write(opened_out, b"x")
quiesce()
print(cown.result(), "CancelledError" in repr(dropped.__enter__()))
"""
    assert output_of(program) == "interrupted\n['slow'] True\n"


def test_scopes_of_a_behavior_left_in_another_order(two_workers: None) -> None:
    @when()
    def crosses():
        outer, inner = scope(), scope()
        outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        in_inner = when()(lambda: "in inner")
        inner.__exit__(None, None, None)
        return in_inner, inner.done, when()(lambda: "in none")

    in_inner, inner_done, in_none = crosses.result(take=True)
    assert (in_inner.result(timeout=DEADLINE), in_none.result(timeout=DEADLINE)) == ("in inner", "in none")
    assert inner_done.result(timeout=DEADLINE) is None


@pytest.mark.backend("threads", reason="elsewhere a scope object cannot leave the interpreter of its behavior")
def test_scopes_that_a_behavior_never_leaves_end_with_it(gate: Gate, two_workers: None) -> None:
    kept = Cown([])

    @when(kept)
    def forgets(kept):
        outer = scope().__enter__()
        inner = scope().__enter__()
        when()(gate.pass_through)
        kept.value += [outer.done, inner.done, outer, inner]

    forgets.result()
    outer_done, inner_done, outer, inner = kept.result(take=True)
    gate.wait_arrived()
    with pytest.raises(TimeoutError):
        outer_done.result(timeout=SHORT)
    gate.open()
    assert outer_done.result(timeout=DEADLINE) is None and inner_done.result(timeout=DEADLINE) is None
    with pytest.raises(RuntimeError, match="has ended"):
        inner.when()(lambda: None)
    with pytest.raises(RuntimeError, match="not entered"):
        outer.__exit__(None, None, None)
