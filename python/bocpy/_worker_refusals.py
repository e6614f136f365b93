"""Calls that an interpreter of its own does not allow, or that mean something else there than in main."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing costs more than all of this; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_WHY = "the behavior runs in an interpreter of its own"
_THREADS = "choose the other backend (BOCPY_BACKEND=threads)"


def _refuse(holder: Any, name: str, error: type[Exception], text: str) -> None:
    """Replace a function by one that says why it cannot be called; nothing where the platform does not have it."""
    original = getattr(holder, name, None)
    if original is None:
        return

    def refused(*_: object, **__: object) -> Any:
        raise error(text)

    refused.__name__ = refused.__qualname__ = name
    refused.__doc__ = getattr(original, "__doc__", None)
    setattr(holder, name, refused)


def refuse_processes() -> None:
    """Refuse os.fork and its like: CPython would too, in fewer words."""
    for name in ("fork", "forkpty"):
        text = (
            f"os.{name}() cannot be called in a behavior: {_WHY}, and the child of a fork could not go on in it. Start "
            f"processes with subprocess (it works here), fork outside behaviors, or {_THREADS}"
        )
        _refuse(os, name, RuntimeError, text)
        _refuse(sys.modules.get("posix"), name, RuntimeError, text)
    for name in ("execv", "execve"):
        text = (
            f"os.{name}() cannot be called in a behavior: {_WHY}, and the process belongs to all of them. Start "
            f"programs with subprocess (it works here), call it outside behaviors, or {_THREADS}"
        )
        _refuse(os, name, RuntimeError, text)
        _refuse(sys.modules.get("posix"), name, RuntimeError, text)


def patch_signal(signal: Any) -> None:
    """Refuse what belongs to the main thread, with the class of error that CPython has for it."""
    for name in ("signal", "set_wakeup_fd"):
        text = (
            f"signal.{name}() cannot be called in a behavior: signals are handled by the main thread of the main "
            f"interpreter alone. Call it there, before the behaviors that depend on it"
        )
        _refuse(signal, name, ValueError, text)


def patch_faulthandler(faulthandler: Any) -> None:
    """Refuse what would act on the whole process, with this interpreter's thread and stream."""
    for name in ("enable", "disable", "register", "unregister", "dump_traceback_later", "cancel_dump_traceback_later"):
        text = (
            f"faulthandler.{name}() cannot be called in a behavior: it acts on the whole process, and {_WHY}. Call it "
            f"outside behaviors"
        )
        _refuse(faulthandler, name, RuntimeError, text)


def patch_threading(threading: Any, index: int, main_ident: int, excepthook: Callable[[Any], None]) -> None:
    """Daemon threads are refused by name; errors of threads go to main; the main thread is main's, not the worker's."""
    text = (
        f"a daemon thread cannot be started in a behavior: {_WHY}, which must not end under a running thread. Use "
        f"a thread that is no daemon and ends by itself, start the thread outside behaviors, or {_THREADS}"
    )
    Thread = threading.Thread
    init = Thread.__init__
    daemon = Thread.daemon

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("daemon"):
            raise RuntimeError(text)
        init(self, *args, **kwargs)

    def set_daemon(self: Any, value: bool) -> None:
        if value:
            raise RuntimeError(text)
        daemon.fset(self, value)

    __init__.__doc__ = init.__doc__
    Thread.__init__ = __init__
    Thread.daemon = property(daemon.fget, set_daemon, None, daemon.__doc__)
    threading.excepthook = threading.__excepthook__ = excepthook
    threading.main_thread = _main_thread_of_process(threading, main_ident)
    # The first thread that threading sees counts as the interpreter's main thread: in log records it is a worker.
    threading.current_thread().name = f"bocpy worker {index}"


def _main_thread_of_process(threading: Any, main_ident: int) -> Callable[[], Any]:
    """threading.main_thread for a worker: on no backend is a behavior on it, and it lives as long as the process."""

    class MainThread(threading.Thread):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="MainThread")

        @property
        def ident(self) -> int:
            return main_ident

        def is_alive(self) -> bool:
            return True

        def join(self, timeout: float | None = None) -> None:
            raise RuntimeError("the main thread cannot be joined in a behavior: it may be waiting for this one")

        def __repr__(self) -> str:
            return f"<_MainThread(MainThread, started {main_ident})>"

    main = MainThread()

    def main_thread() -> Any:
        return main

    main_thread.__doc__ = threading.main_thread.__doc__
    return main_thread
