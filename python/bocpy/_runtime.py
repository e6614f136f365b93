"""Starting, waiting and ending: the life of the process's runtime."""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, overload

from . import _bocpy
from ._config import MOST_WORKERS, WORKER_COUNT

_FOREVER = 1e9  # seconds; longer timeouts mean no timeout


class WaitResult(NamedTuple):
    """What ``wait`` and ``quiesce`` return if asked for both: a dict per worker, and the noticeboard's contents."""

    stats: list[dict[str, int]]
    noticeboard: dict[str, Any]


_running_with: int | None = None  # the worker count of the last start()


def start(
    worker_count: int | None = None,
    module: tuple[str, str | None] | None = None,
    *,
    initializer: Callable[[], object] | None = None,
) -> None:
    """Start the workers; ``@when`` does it by itself when it has to.

    :param worker_count: threads that run behaviors, at least 1; None: :data:`WORKER_COUNT`.
    :param module: accepted for programs written for other implementations, and checked: a pair (dotted module name,
        path or None). Functions find their globals without it.
    :param initializer: called once by each worker before its first behavior of this start; later starts do not.
    :raises RuntimeError: if the runtime is up with another number of workers, or at all if there is an initializer
        (call ``wait()`` first), in a behavior, if the system refuses threads, or if the initializer fails.
    :raises TypeError: if ``worker_count`` is no int, or ``initializer`` cannot be called.
    :raises ValueError: if ``worker_count`` is below 1 or ``module`` is not such a pair.
    """
    global _running_with
    if worker_count is not None:
        if isinstance(worker_count, bool) or not isinstance(worker_count, int):
            raise TypeError(f"worker_count is an int or None, not {type(worker_count).__name__}")
        if worker_count < 1:
            raise ValueError(f"worker_count is at least 1, not {worker_count}")
        if worker_count > MOST_WORKERS:
            raise ValueError(f"worker_count is at most {MOST_WORKERS}, not {worker_count}")
    if module is not None:
        _check_module(module)
    if initializer is not None and not callable(initializer):
        raise TypeError(f"initializer is a function without parameters or None, not {type(initializer).__name__}")
    if _bocpy._running():
        if initializer is not None:
            raise RuntimeError("the runtime is already running; call wait() before you start it with an initializer")
        have = _bocpy._worker_count()
        if worker_count is not None and worker_count != have:
            raise RuntimeError(
                f"the runtime is already running with {have} workers; call wait() before you start it with "
                f"{worker_count}"
            )
        return
    _running_with = _bocpy._start(worker_count or WORKER_COUNT, initializer)


def _check_module(module: object) -> None:
    if not isinstance(module, tuple) or len(module) != 2:
        raise ValueError("module is a pair (dotted Python module path, file path or None)")
    name, path = module
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(f"module[0] is a dotted Python module path, not {name!r}")
    if path is not None and not isinstance(path, str):
        raise ValueError("module[1] is a file path or None")


def _seconds(timeout: float | None) -> float:
    if timeout is None:
        return math.inf
    if isinstance(timeout, (str, bytes)):
        raise TypeError(f"timeout is a number of seconds or None, not {type(timeout).__name__}")
    seconds = float(timeout)
    if math.isnan(seconds) or seconds < 0:
        return 0.0
    return math.inf if seconds > _FOREVER else seconds


def _outcome(stats: list[dict[str, int]] | None, noticeboard: dict[str, Any] | None) -> Any:
    if stats is not None and noticeboard is not None:
        return WaitResult(stats, noticeboard)
    return stats if stats is not None else noticeboard


@overload
def quiesce(
    timeout: float | None = None, *, stats: Literal[False] = False, noticeboard: Literal[False] = False
) -> None: ...


@overload
def quiesce(
    timeout: float | None = None, *, stats: Literal[True], noticeboard: Literal[False] = False
) -> list[dict[str, int]]: ...


@overload
def quiesce(
    timeout: float | None = None, *, stats: Literal[False] = False, noticeboard: Literal[True]
) -> dict[str, Any]: ...


@overload
def quiesce(timeout: float | None = None, *, stats: Literal[True], noticeboard: Literal[True]) -> WaitResult: ...


@overload
def quiesce(
    timeout: float | None = None, *, stats: bool = False, noticeboard: bool = False
) -> list[dict[str, int]] | dict[str, Any] | WaitResult | None: ...


def quiesce(timeout: float | None = None, *, stats: bool = False, noticeboard: bool = False) -> Any:
    """Wait until no behavior is pending; the workers stay.

    :param timeout: seconds; None: as long as it takes.
    :param stats: return a list with a dict of counters per worker.
    :param noticeboard: return a dict with the noticeboard's contents.
    :returns: None, the stats, the noticeboard, or a :class:`WaitResult` with both.
    :raises TimeoutError: with a list of what is pending; the runtime goes on.
    :raises RuntimeError: in a behavior, in an open batch, or if a behavior waits for a cown that this thread holds.
    :raises TransferError: if a value on the noticeboard cannot be made again; it stays there.
    """
    _bocpy._quiesce(_seconds(timeout), "quiesce()")
    counted = (_bocpy._stats() if _bocpy._running() else []) if stats else None
    return _outcome(counted, dict(_bocpy.noticeboard()) if noticeboard else None)


@overload
def wait(
    timeout: float | None = None, *, stats: Literal[False] = False, noticeboard: Literal[False] = False
) -> None: ...


@overload
def wait(
    timeout: float | None = None, *, stats: Literal[True], noticeboard: Literal[False] = False
) -> list[dict[str, int]]: ...


@overload
def wait(
    timeout: float | None = None, *, stats: Literal[False] = False, noticeboard: Literal[True]
) -> dict[str, Any]: ...


@overload
def wait(timeout: float | None = None, *, stats: Literal[True], noticeboard: Literal[True]) -> WaitResult: ...


@overload
def wait(
    timeout: float | None = None, *, stats: bool = False, noticeboard: bool = False
) -> list[dict[str, int]] | dict[str, Any] | WaitResult | None: ...


def wait(timeout: float | None = None, *, stats: bool = False, noticeboard: bool = False) -> Any:
    """Wait until no behavior is pending, then stop the workers. The next ``@when`` starts them again.

    From its return until then every thread may look at every ``cown.value``. Failures that nobody has looked at are
    reported through ``sys.unraisablehook``. The noticeboard is emptied. Parameters, result and errors as for
    :func:`quiesce`.
    """
    import time

    left = _seconds(timeout)
    deadline = time.monotonic() + left
    was_running = _bocpy._running()
    while True:
        _bocpy._quiesce(left, "wait()")
        if _bocpy._try_stop():
            break
        left = max(0.0, deadline - time.monotonic())  # somebody has scheduled in between
    counted = (_bocpy._stats() if was_running else []) if stats else None
    _bocpy._settle()
    return _outcome(counted, _bocpy._notice_take(bool(noticeboard)))


_interrupted_at_end = False  # Ctrl-C while the program was draining


def _drain(*, last: bool, alone: bool = False) -> None:
    """Run everything scheduled to its end when the program ends, as concurrent.futures does.

    Behaviors that wait for messages are left to the last time, as threads may still send some. If there are no threads
    (``alone``), or this is the last time, these waits are given up.
    """
    global _interrupted_at_end
    _bocpy._listen(False)  # the main thread runs what is pinned by itself now
    _bocpy._release_all()
    interrupted = _interrupted_at_end or _ended_by_interrupt()
    if interrupted:
        _bocpy._cancel_all()
    if last:
        _bocpy._begin_end()  # what daemon threads schedule from here on could keep this from ever ending
    while True:
        try:
            _bocpy._finish(last or alone)
            if not last:
                break
            _bocpy._notice_take(False)  # before the end: destructors of what is there may still schedule
            _bocpy._drop_messages()
            if _bocpy._close():
                break
        except KeyboardInterrupt:
            if interrupted:
                _leave_at_once()
            interrupted = _interrupted_at_end = True
            _bocpy._cancel_all()
        except RuntimeError:
            # An exit handler has taken a cown that something waits for.
            _bocpy._release_all()
        except BaseException:
            # What a pinned behavior has raised (SystemExit, say). The others have still to run.
            sys.excepthook(*sys.exc_info())


def _ended_by_interrupt() -> bool:
    if hasattr(sys, "ps1") or getattr(sys, "last_type", None) is not KeyboardInterrupt:
        return False
    # Who has printed it and gone on (the code module, a window's main loop) was called by somebody.
    traceback = getattr(sys, "last_traceback", None)
    return traceback is not None and traceback.tb_frame.f_back is None


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            continue


def _leave_at_once() -> None:
    _flush()
    os._exit(130)


def _before_threads_end() -> None:
    others = [t for t in threading.enumerate() if not (t.daemon or t is threading.main_thread())]
    _drain(last=False, alone=not others)
    if _bocpy._pinned_exist():
        _pump_for_threads()


def _module_of_hook(hook: Any) -> str | None:
    """The module of the function that was given to ``threading._register_atexit``: a partial, or a lambda around it."""
    function = getattr(hook, "func", None)
    if function is None and getattr(hook, "__closure__", None):
        cells = dict(zip(hook.__code__.co_freevars, hook.__closure__, strict=True))
        function = cells["func"].cell_contents if "func" in cells else None
    return getattr(function, "__module__", None)


_POOLS = {"concurrent.futures.thread": "_threads_queues", "concurrent.futures.process": "_threads_wakeups"}


def _pump_for_threads() -> None:
    """The program ends when its other threads have, and these may wait for pinned behaviors, which need this thread.

    Threads that a hook of somebody else's stops later cannot be waited for here.
    """
    hooks = {_module_of_hook(hook) for hook in getattr(threading, "_threading_atexits", ())}
    if hooks - {__name__, *_POOLS}:
        return
    pools: list[Any] = [getattr(sys.modules[name], table, ()) for name, table in _POOLS.items() if name in sys.modules]
    while others := [  # anew each time: threads start threads
        thread
        for thread in threading.enumerate()
        if not (thread.daemon or thread is threading.main_thread() or any(thread in pool for pool in pools))
    ]:
        others[0].join(0.05)
        _drain(last=False)


def _at_exit() -> None:
    _drain(last=True)
    _bocpy._report_failures()
    if _interrupted_at_end:
        _end_as_interrupted()
    elif _ended_by_interrupt():
        _note_interrupt_again()


def _note_interrupt_again() -> None:
    """See to it that the program still ends by the signal, as Python's programs do that Ctrl-C has ended.

    CPython notes that in a flag, which code run from a string takes down again, in whatever thread or interpreter: a
    behavior may have, or a worker at its end.
    """
    with contextlib.suppress(KeyboardInterrupt):
        exec("raise KeyboardInterrupt")


def _end_as_interrupted() -> None:
    """End like a program that Ctrl-C has ended: by that signal. The exit code was settled before the draining."""
    import signal

    atexit.unregister(_at_exit)
    atexit._run_exitfuncs()  # those registered before ours
    _flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def _after_fork_in_parent() -> None:
    _bocpy._after_fork(False)


def _after_fork_in_child() -> None:
    _bocpy._after_fork(True)
    _bocpy._configure(WORKER_COUNT)


def install() -> None:
    """Hook into the end of the program and into fork; once, at import."""
    # Before the other threads are joined: behaviors may still use executors and locks of theirs. What those threads
    # schedule afterwards is drained by the second hook. Children of multiprocessing run only the first.
    register = getattr(threading, "_register_atexit", None)
    if register is not None:
        register(_before_threads_end)
    atexit.register(_at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_bocpy._before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
        )
