"""`start`, `wait`, `quiesce`, their timeouts and statistics, `WORKER_COUNT`."""

from __future__ import annotations

import os
import re
import textwrap
import threading
from pathlib import Path

import bocpy
import pytest
from boc_testing import SHORT, Gate, free_memory, output_of, run_threads
from bocpy import WORKER_COUNT, Cown, WaitResult, quiesce, start, wait, when
from bocpy._config import cgroup_quota


def add(cown):
    cown.value += 1


# start ---------------------------------------------------------------------------------------------------------------


def test_start_is_idempotent() -> None:
    assert start(2) is None
    start(2)
    start()
    start(worker_count=None)
    assert len(quiesce(stats=True)) == 2


def test_start_with_another_count_while_running() -> None:
    start(2)
    with pytest.raises(RuntimeError, match="2"):
        start(3)
    assert len(quiesce(stats=True)) == 2
    wait()
    start(3)
    assert len(quiesce(stats=True)) == 3


def test_start_takes_worker_count_by_default() -> None:
    start()
    assert len(quiesce(stats=True)) == WORKER_COUNT
    start(WORKER_COUNT)


def test_when_starts_the_runtime() -> None:
    when()(lambda: None)
    assert len(quiesce(stats=True)) == WORKER_COUNT


@pytest.mark.parametrize("count", [0, -1, -(10**30)])
def test_start_with_too_few_workers(count: int) -> None:
    with pytest.raises(ValueError, match="worker_count"):
        start(count)
    assert quiesce(stats=True) == []


@pytest.mark.parametrize("count", ["2", 2.0, True, [2]])
def test_start_with_something_that_is_no_count(count: object) -> None:
    with pytest.raises(TypeError, match="worker_count"):
        start(count)  # type: ignore[arg-type]
    assert quiesce(stats=True) == []


def test_start_with_more_workers_than_can_be() -> None:
    with pytest.raises((ValueError, OverflowError, RuntimeError)):
        start(10**30)
    assert quiesce(stats=True) == []


@pytest.mark.parametrize("module", [None, ("__main__", None), ("package.module", __file__), ("módulo", None)])
def test_start_accepts_a_module(module: tuple[str, str | None] | None) -> None:
    start(1, module)
    wait()
    start(worker_count=1, module=module)


@pytest.mark.parametrize("name", ["", "no good", ".relative", "a..b", "1x", "a.b."])
def test_start_refuses_a_module_name_that_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="module"):
        start(1, (name, None))
    assert quiesce(stats=True) == []


@pytest.mark.parametrize("module", ["name", ("name",), (1, None), ("name", 1), ["name", None], ("a", None, None)])
def test_start_refuses_something_that_is_no_module(module: object) -> None:
    with pytest.raises((TypeError, ValueError), match="module"):
        start(1, module)  # type: ignore[arg-type]
    assert quiesce(stats=True) == []


@pytest.mark.skipif(free_memory() < 4 << 30, reason="needs 4 GiB: 260 workers, most with an interpreter of their own")
def test_hundreds_of_workers() -> None:
    """Every one of them schedules from its own interpreter."""
    source = """
    import os
    import bocpy
    from bocpy import Cown, when

    total = Cown(0)
    came, tell = os.pipe()
    wait, go = os.pipe()

    def add(total):
        total.value += 1

    def come(c):
        os.write(tell, b"x")
        os.read(wait, 1)  # the worker has to stay
        when(total)(add)

    def all_of(n):
        while n:
            n -= len(os.read(came, n))

    bocpy.start(260)
    for i in range(260):
        when(Cown(i))(come)
    all_of(260)
    os.write(go, b"x" * 260)
    bocpy.wait()
    print(total.value)
    """
    assert output_of(textwrap.dedent(source)) == "260\n"


# wait and quiesce ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [wait, quiesce])
def test_what_they_return_with_nothing_running(waits) -> None:
    assert waits() is None
    assert waits(stats=True) == []
    assert waits(noticeboard=True) == {}
    both = waits(stats=True, noticeboard=True)
    assert type(both) is WaitResult
    assert both == WaitResult([], {}) == ([], {})
    assert (both.stats, both.noticeboard) == ([], {})


@pytest.mark.parametrize("waits", [wait, quiesce])
def test_statistics(waits) -> None:
    start(2)
    cowns = [Cown(0) for _ in range(4)]
    for i in range(40):
        when(cowns[i % 4])(add)
    stats = waits(stats=True)
    assert [worker["worker_index"] for worker in stats] == [0, 1]
    assert sum(worker["executed"] for worker in stats) == 40
    for worker in stats:
        assert {"worker_index", "executed", "stolen", "parked"} <= set(worker)
        assert all(type(value) is int and value >= 0 for value in worker.values())
        assert worker["stolen"] <= worker["executed"]


@pytest.mark.parametrize("waits", [wait, quiesce])
def test_statistics_and_noticeboard_together(waits) -> None:
    start(1)
    when()(lambda: None)
    both = waits(stats=True, noticeboard=True)
    assert type(both) is WaitResult
    assert len(both.stats) == 1 and both.noticeboard == {}


@pytest.mark.parametrize("waits", [wait, quiesce])
def test_their_options_are_keywords(waits) -> None:
    with pytest.raises(TypeError):
        waits(None, True)
    with pytest.raises(TypeError):
        waits(unknown=1)


@pytest.mark.parametrize("waits", [wait, quiesce])
def test_they_wait_for_everything(waits, two_workers: None) -> None:
    cown = Cown(0)

    def grow(depth):
        when(cown)(add)
        if depth:
            when()(lambda: grow(depth - 1))
            when()(lambda: grow(depth - 1))

    grow(6)
    waits()
    assert cown.result(timeout=0) == 2**7 - 1


def test_quiesce_leaves_the_workers_running() -> None:
    start(2)
    cown = Cown(0)
    for _ in range(5):
        when(cown)(add)
        assert quiesce() is None
    assert len(quiesce(stats=True)) == 2
    assert cown.result() == 5


def test_the_runtime_can_be_restarted_as_often_as_one_likes() -> None:
    cown = Cown([])

    def note(cown, i):
        cown.value.append(i)

    for i in range(30):
        start(1 + i % 3)
        when(cown)(lambda cown: note(cown, i))  # noqa: B023
        wait()
    assert cown.value == list(range(30))


def test_results_outlive_the_runtime() -> None:
    result = when()(lambda: [1])
    wait()
    start(1)
    assert when(result)(lambda result: [*result.value, 2]).result() == [1, 2]


# timeouts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [wait, quiesce])
@pytest.mark.parametrize("timeout", [None, 0, -1, 0.5, 10**12, 1e300, float("inf")])
def test_a_timeout_that_does_not_run_out(waits, timeout: float | None) -> None:
    assert waits(timeout) is None
    start(1)
    when()(lambda: None).result()
    quiesce()
    assert waits(timeout=timeout) is None


@pytest.mark.parametrize("waits", [wait, quiesce])
@pytest.mark.parametrize("timeout", ["1", [], 1j])
def test_a_timeout_that_is_no_number(waits, timeout: object) -> None:
    with pytest.raises(TypeError):
        waits(timeout)
    start(1)
    with pytest.raises(TypeError):
        waits(timeout=timeout)


def gated(cown, gate):
    gate.pass_through()


def queued(cown):
    cown.value += 1


@pytest.mark.parametrize("waits", [wait, quiesce])
def test_a_timeout_tells_what_is_pending(waits, gate: Gate) -> None:
    start(2)
    cown = Cown(0)
    lines = {"gated": gated.__code__.co_firstlineno, "queued": queued.__code__.co_firstlineno}
    bocpy.whencall(gated, [cown], [gate])
    for _ in range(3):
        when(cown)(queued)
    gate.wait_arrived()
    with pytest.raises(TimeoutError) as error:
        waits(timeout=SHORT)
    text = str(error.value)
    assert re.search(r"\b4\b.*(pending|behaviors)", text)
    for name, line in lines.items():
        assert re.search(rf"\b{name}\b.*test_lifecycle\.py.*\b{line}\b", text), text
    assert re.search(r"\b3\b.*\bqueued\b|\bqueued\b.*\b3\b", text)
    assert re.search(r"(?i)running", text)
    gate.open()
    assert cown.result() == 3


@pytest.mark.parametrize("waits", [wait, quiesce])
def test_a_timeout_is_told_as_it_was_given(waits, gate: Gate) -> None:
    when()(gate.pass_through)
    gate.wait_arrived()
    with pytest.raises(TimeoutError, match=rf"^{waits.__name__}\(\) took longer than {SHORT} s: 1 behavior pending"):
        waits(SHORT)


@pytest.mark.parametrize("waits", [wait, quiesce])
def test_after_a_timeout_the_runtime_goes_on(waits, gate: Gate) -> None:
    start(2)
    cown = Cown(0)
    when(cown)(lambda cown: gate.pass_through())
    gate.wait_arrived()
    for timeout in (0, -5, SHORT):
        with pytest.raises(TimeoutError):
            waits(timeout=timeout)
    when(cown)(add)
    assert when()(lambda: "another").result() == "another"
    gate.open()
    assert len(quiesce(stats=True)) == 2
    wait()
    assert cown.value == 1


# several at once -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("both", [(wait, wait), (quiesce, quiesce), (wait, quiesce), (wait, wait, quiesce)])
def test_several_waits_at_once_all_return(both, gate: Gate) -> None:
    start(2)
    result = when()(lambda: gate.pass_through())
    gate.wait_arrived()
    timer = threading.Timer(SHORT, gate.open)
    timer.start()
    assert run_threads(*both) == [None] * len(both)
    timer.join()
    assert result.result(timeout=0) is None


def test_a_when_during_teardown_starts_afresh() -> None:
    cown, rounds = Cown(0), 200
    done = threading.Event()

    def schedule():
        for _ in range(rounds):
            when(cown)(add)
        done.set()

    def stop():
        while not done.is_set():
            wait()

    run_threads(schedule, stop)
    wait()
    assert cown.value == rounds


def test_starting_from_many_threads_at_once() -> None:
    run_threads(*[lambda: start(2)] * 4)
    assert len(quiesce(stats=True)) == 2


def test_ctrl_c_interrupts_wait_and_quiesce() -> None:
    """It arrives while the behavior still runs, and the runtime stays usable."""
    program = """
import os, signal, threading
from bocpy import Cown, quiesce, start, wait, when
start(1)
opened_in, opened_out = os.pipe()
cown = Cown(0)

@when(cown)
def slow(cown):
    os.read(opened_in, 1)
    cown.value += 1

for waits in (quiesce, wait):
    try:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        waits()
    except KeyboardInterrupt:
        print("interrupted", waits.__name__)

@when(cown)
def after(cown):
    cown.value += 1

os.write(opened_out, b"x")
wait()
print(cown.value)
"""
    assert output_of(program) == "interrupted quiesce\ninterrupted wait\n2\n"


# WORKER_COUNT --------------------------------------------------------------------------------------------------------


PRINT_COUNT = "import bocpy; print(bocpy.WORKER_COUNT)"


def test_worker_count_is_the_number_of_usable_cpus() -> None:
    assert type(WORKER_COUNT) is int
    assert WORKER_COUNT >= 1
    if hasattr(os, "sched_getaffinity") and "BOCPY_WORKERS" not in os.environ:
        assert len(os.sched_getaffinity(0)) >= WORKER_COUNT


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_worker_count_respects_the_affinity() -> None:
    program = f"import os; os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}}); {PRINT_COUNT}"
    assert output_of(program, how="-c", env={"BOCPY_WORKERS": None}) == "1\n"


def test_the_environment_sets_worker_count() -> None:
    program = "from bocpy import *; import bocpy; bocpy.start(); print(WORKER_COUNT, len(bocpy.wait(stats=True)))"
    assert output_of(program, how="-c", env={"BOCPY_WORKERS": "5"}) == "5 5\n"


@pytest.mark.parametrize("value", ["", "0", "-3", "many", "2.5"])
def test_a_worker_count_that_is_none_is_ignored(value: str) -> None:
    expected = output_of(PRINT_COUNT, how="-c", env={"BOCPY_WORKERS": None})
    assert output_of(PRINT_COUNT, how="-c", env={"BOCPY_WORKERS": value}) == expected


def write_group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("cpu_", "cpu.", 1)).write_text(text)


def test_the_quota_of_control_groups(tmp_path: Path) -> None:
    root, member = tmp_path / "cgroup", tmp_path / "membership"

    def quota(membership: str) -> float | None:
        member.write_text(membership)
        return cgroup_quota(str(root), str(member))

    assert cgroup_quota(str(root), str(member)) is None  # a system without control groups
    write_group(root, cpu_max="max 100000\n")
    write_group(root / "a", cpu_max="300000 100000\n")
    write_group(root / "a" / "b", cpu_max="max 100000\n")
    write_group(root / "a" / "bad", cpu_max="nonsense\n")
    assert quota("0::/\n") is None
    assert quota("0::/a/b\n") == quota("0::/a/bad\n") == quota("1:name=systemd:/x\n0::/a\n") == 3
    write_group(root / "a" / "b", cpu_max="50000 100000\n")
    assert quota("0::/a/b\n") == 0.5
    write_group(root / "cpu" / "old", cpu_cfs_quota_us="400000\n", cpu_cfs_period_us="100000\n")
    assert quota("4:cpu,cpuacct:/old\n") == 4
    write_group(root / "cpu" / "old", cpu_cfs_quota_us="-1\n")
    assert quota("4:cpu,cpuacct:/old\n3:memory:/a\n") is None
    write_group(root, cpu_max="200000 100000\n")  # what a container sees as its root
    assert quota("0::/\n") == 2


def test_everything_public_is_exported() -> None:
    public = """Cown CancelledError TransferError WORKER_COUNT WaitResult __version__ backend batch hold quiesce read
    scope start wait when whencall"""
    assert set(bocpy.__all__).issuperset(public.split())
    for name in bocpy.__all__:
        assert getattr(bocpy, name) is not None
    assert bocpy.backend() in ("threads", "subinterp")
    assert re.match(r"\d+\.\d+", bocpy.__version__)
