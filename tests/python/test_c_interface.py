"""The table of functions for other extension modules: each of them, used well and badly."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bocpy
import pytest
from boc_testing import DEADLINE, Gate, output_of, run_python
from bocpy import CancelledError, Cown, batch, quiesce, read, scope, start, wait, when
from extension_building import build

pytestmark = pytest.mark.timeout(400)  # the first test compiles

SOURCE = Path(__file__).with_name("extension_probe.c")

RETURNS_INTERPRETER, RETURNS_NOTHING, RAISES, GIVES_NATIVE, IN_BODY = range(5)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probe")
    build(SOURCE, "extension_probe", folder)
    return folder


@pytest.fixture(scope="module")
def probe(built: Path) -> Iterator[Any]:
    sys.path.insert(0, str(built))
    yield importlib.import_module("extension_probe")
    bocpy.wait(DEADLINE)
    sys.path.remove(str(built))


@pytest.fixture
def counted(probe: Any) -> Callable[[], tuple[int, int]]:
    """How many bodies were dropped and native values destroyed since the test began."""
    before = probe.counts()
    return lambda: tuple(now - then for now, then in zip(probe.counts(), before, strict=True))


def settle(counted: Callable[[], tuple[int, int]], expected: tuple[int, int]) -> None:
    """A worker drops what a behavior had after its result can be seen."""
    limit = time.monotonic() + DEADLINE
    while counted() != expected and time.monotonic() < limit:
        time.sleep(0.005)
    assert counted() == expected


def test_one_table_for_all_interpreters(probe: Any) -> None:
    start(2)

    @when()
    def there():
        import extension_probe

        return extension_probe.table()

    assert there.result() == probe.table() != 0


def test_a_behavior(probe: Any, counted: Callable[[], tuple[int, int]]) -> None:
    cown = Cown([])
    result = probe.schedule(RETURNS_INTERPRETER, cown)
    assert (result.result() == 0) == (bocpy.backend() == "threads")
    assert probe.schedule(IN_BODY).result() == 1
    assert probe.schedule(RETURNS_INTERPRETER, cown, cown, cown).result() >= 0  # the same cown several times
    assert cown.result() == []
    settle(counted, (3, 0))


def test_it_waits_for_its_cowns(probe: Any, gate: Gate) -> None:
    cown = Cown(0)

    @when(cown)
    def first(cown):
        gate.pass_through()

    result = probe.schedule(RETURNS_INTERPRETER, cown)
    gate.wait_arrived()
    with pytest.raises(TimeoutError):
        result.result(timeout=0)
    with pytest.raises(TimeoutError, match="pending"):
        quiesce(timeout=0)
    assert "queued 1" in repr(cown)
    gate.open()
    assert result.result() >= 0


def test_bodies_that_fail(probe: Any, counted: Callable[[], tuple[int, int]]) -> None:
    with pytest.raises(SystemError, match="without an error"):
        probe.schedule(RETURNS_NOTHING).result()
    with pytest.raises(KeyError, match="of the body"):
        probe.schedule(RAISES).result()
    settle(counted, (2, 0))


def test_a_failure_that_nobody_looks_at_is_reported(probe: Any, unraisable: list[str]) -> None:
    probe.schedule(RAISES)
    wait()
    assert len(unraisable) == 1
    assert "of the body" in unraisable[0]


def test_scopes_collect_failures(probe: Any) -> None:
    with pytest.raises(BaseException) as caught, scope():  # an ExceptionGroup; 3.10 has no such name
        probe.schedule(RAISES)
    assert [type(error) for error in caught.value.exceptions] == [KeyError]


def test_a_batch_that_is_given_up(probe: Any, counted: Callable[[], tuple[int, int]]) -> None:
    cown = Cown(1)
    with pytest.raises(ZeroDivisionError), batch():
        lost = probe.schedule(RETURNS_INTERPRETER, cown)
        raise ZeroDivisionError
    assert counted() == (1, 0)
    with pytest.raises(CancelledError):
        lost.result()
    assert repr(cown).endswith("idle>")
    with batch():
        kept = probe.schedule(RETURNS_INTERPRETER, cown)
    assert kept.result() >= 0


def test_an_open_batch_keeps_the_cowns(probe: Any, counted: Callable[[], tuple[int, int]]) -> None:
    """Nobody else has them: what is in an open batch is queued nowhere yet."""
    with batch():
        results = [probe.schedule(RETURNS_INTERPRETER, Cown([i]), probe.make(i)) for i in range(200)]
        assert counted() == (0, 0)
        _others = [Cown(bytearray(100)) for _ in range(2000)]
    assert all(result.result() >= 0 for result in results)
    settle(counted, (200, 200))
    with pytest.raises(ZeroDivisionError), batch():
        for i in range(50):
            probe.schedule(RETURNS_INTERPRETER, probe.make(i), probe.make(i))
        raise ZeroDivisionError
    settle(counted, (250, 300))


def test_what_is_no_cown(probe: Any) -> None:
    for wrong in (5, None, read(Cown(1)), [Cown(1)]):
        with pytest.raises(TypeError, match="a cown is needed"):
            probe.schedule(RETURNS_INTERPRETER, wrong)
    cown = Cown(1)
    assert probe.same(cown) == cown
    assert probe.same(cown) is not cown


def test_outside_all(probe: Any) -> None:
    assert probe.transfer() == 0
    assert probe.in_body() is False
    assert when()(probe.in_body).result() is True


def test_who_holds(probe: Any, two_workers: None) -> None:
    cown = Cown(1)
    assert probe.holds(cown) is False
    with cown:
        assert probe.holds(cown) is True
        seen: list[bool] = []
        thread = threading.Thread(target=lambda: seen.append(probe.holds(cown)))
        thread.start()
        thread.join()
        assert seen == [False]

    @when(cown, Cown(2))
    def held(cown, other):
        import extension_probe

        return extension_probe.holds(cown), extension_probe.holds(other), extension_probe.holds(Cown(3))

    assert held.result() == (True, True, False)
    wait()
    assert probe.holds(cown) is True


def test_native_values(probe: Any, two_workers: None, counted: Callable[[], tuple[int, int]]) -> None:
    cown = probe.make(5)
    with pytest.raises(RuntimeError, match="does not hold"):
        probe.native(cown, "long", False)
    with pytest.raises(RuntimeError, match="does not hold"):
        probe.set_native(cown, 6)
    assert counted() == (0, 1)  # the one that was not taken
    with cown as value:
        assert value is None
        assert probe.native(cown, "long", True) == 5
        with pytest.raises(TypeError, match="no native value of type double; it has long"):
            probe.native(cown, "double", False)
        probe.set_native(cown, 6)
        assert probe.native(cown, "long", False) == 6
        cown.value = "its Python value is another matter"
        assert probe.native(cown, "long", False) == 6
    assert counted() == (0, 2)
    del cown, value
    assert counted() == (0, 3)
    plain = Cown(1)
    with plain, pytest.raises(TypeError, match="it has none"):
        probe.native(plain, "long", False)


def test_readers_do_not_write(probe: Any) -> None:
    cown = probe.make(5)

    @when(read(cown))
    def reader(cown):
        import extension_probe

        assert extension_probe.native(cown, "long", False) == 5
        extension_probe.native(cown, "long", True)

    with pytest.raises(RuntimeError, match=r"held by read\(\)"):
        reader.result()


def test_a_native_result(probe: Any, counted: Callable[[], tuple[int, int]]) -> None:
    result = probe.schedule(GIVES_NATIVE)
    assert result.result() is None
    with result:
        assert probe.native(result, "long", True) == 7

    failed = probe.schedule(RAISES)
    with failed, pytest.raises(KeyError):
        probe.native(failed, "long", False)
    del result
    settle(counted, (2, 1))


def test_a_handle_dropped_by_a_worker(probe: Any, counted: Callable[[], tuple[int, int]]) -> None:
    start(2)

    @when(probe.make(1))
    def last(cown):
        return [cown]

    @when(last)
    def drop(holder):
        holder.value.clear()

    drop.result()
    del last
    wait()  # a worker that sleeps keeps a few small things to drop until then
    settle(counted, (0, 1))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_cowns_of_the_parent(built: Path) -> None:
    program = f"""
    import os, sys
    sys.path.insert(0, {str(built)!r})
    import extension_probe as probe
    cown = probe.make(1)
    child = os.fork()
    if child == 0:
        try:
            probe.schedule(0, cown)
        except RuntimeError as error:
            print("forked from" in str(error), probe.schedule(4).result(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print(probe.schedule(4, cown).result())
    """
    assert output_of(textwrap.dedent(program)) == "True 1\n1\n"


def test_at_the_end_of_the_program(built: Path) -> None:
    """Exit handlers that run before bocpy's may schedule, those after it get an error and nothing is left behind."""
    program = f"""
    import atexit, sys
    sys.path.insert(0, {str(built)!r})
    def late():
        try:
            probe.schedule(0)
        except RuntimeError as error:
            print("shutting down" in str(error), probe.counts())
    atexit.register(late)
    import extension_probe as probe
    atexit.register(lambda: print(probe.schedule(4).result()))
    probe.schedule(4, probe.make(1))
    """
    assert output_of(textwrap.dedent(program)) == "1\nTrue (3, 1)\n"


@pytest.mark.parametrize("change", ["version", "size"])
def test_another_version(tmp_path: Path, change: str) -> None:
    """A module that was built for another version of the interface is refused when it is imported."""
    headers = tmp_path / "headers" / "bocpy"
    shutil.copytree(Path(bocpy.get_include(), "bocpy"), headers)
    text = (headers / "runtime.h").read_text(encoding="utf-8")
    if change == "version":
        text, changes = re.subn(r"(#define BOCPY_API_VERSION) 1\b", r"\1 1000", text)
    else:
        text, changes = re.subn(r"\} bocpy_api;", "void *added_later; } bocpy_api;", text)
    assert changes == 1
    (headers / "runtime.h").write_text(text, encoding="utf-8")
    build(SOURCE, "extension_probe", tmp_path, f"-iquote{headers}", f"-I{headers.parent}")
    done = run_python("import extension_probe", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1
    assert "ImportError: this extension module was built for version" in done.stderr
    assert "build the module again" in done.stderr
