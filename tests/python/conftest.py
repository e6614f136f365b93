"""Every test starts with a stopped runtime and must leave nothing behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator

import bocpy
import pytest
from boc_testing import DEADLINE, Gate
from display_testing import x_server


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "backend(name, reason): the test concerns this backend alone and is skipped on the others"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = bocpy.backend()
    for item in items:
        for mark in item.iter_markers("backend"):
            if mark.args[0] != here:
                item.add_marker(pytest.mark.skip(reason=f"{mark.args[0]} alone: {mark.kwargs['reason']}"))


def pytest_report_header() -> str:
    gil = "on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off"
    return f"bocpy {bocpy.__version__}: {bocpy.backend()} backend, {bocpy.WORKER_COUNT} workers, GIL {gil}"


@pytest.fixture(autouse=True)
def stopped_runtime(request: pytest.FixtureRequest) -> Iterator[None]:
    """Stop the runtime after the test. Behaviors that never end make the test fail and end the session: nothing that
    ran after them could be trusted."""
    yield
    try:
        bocpy.wait(timeout=DEADLINE)
    except (TimeoutError, pytest.fail.Exception) as late:  # pytest's own time limit may come first
        request.session.shouldstop = f"{request.node.nodeid} left behaviors that do not end"
        pytest.fail(f"behaviors are left: {late}")
    assert bocpy.quiesce(stats=True) == [], "wait() returned and the runtime still runs"


@pytest.fixture
def new_gate(stopped_runtime: None) -> Iterator[Callable[[], Gate]]:
    """Make gates that open by themselves when the test ends, however it ends."""
    gates: list[Gate] = []

    def make() -> Gate:
        gates.append(Gate.make())
        return gates[-1]

    yield make
    for gate in gates:
        gate.open()
    # The descriptors may be closed only when no behavior uses them any longer.
    bocpy.wait(timeout=DEADLINE)
    for gate in gates:
        gate.close()


@pytest.fixture
def gate(new_gate: Callable[[], Gate]) -> Gate:
    return new_gate()


@pytest.fixture
def two_workers(stopped_runtime: None) -> None:
    """For tests in which one behavior waits for another to run beside it, whatever the number of CPUs."""
    bocpy.start(2)


@pytest.fixture
def pipe(stopped_runtime: None) -> Iterator[tuple[int, int]]:
    """The reading and the writing end, for what behaviors and destructors tell; open until the runtime has stopped."""
    ends = os.pipe()
    yield ends
    bocpy.wait(timeout=DEADLINE)
    for end in ends:
        os.close(end)


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """The name of a virtual X display, for DISPLAY."""
    with x_server() as name:
        yield name


@pytest.fixture
def unraisable(stopped_runtime: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that reach `sys.unraisablehook` while the test runs, formatted as the default hook does."""
    import traceback

    texts: list[str] = []

    def hook(report: sys.UnraisableHookArgs) -> None:
        trace = "".join(traceback.format_exception(report.exc_type, report.exc_value, report.exc_traceback))
        texts.append(f"{report.err_msg}: {report.object!r}\n{trace}")

    monkeypatch.setattr(sys, "unraisablehook", hook)
    return texts


@pytest.fixture
def no_messages() -> Iterator[None]:
    """The test starts without messages, and leaves none."""
    bocpy.set_tags([])
    yield
    bocpy.set_tags([])
