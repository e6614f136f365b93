"""Running pinned behaviors on the main thread, and being told that some wait."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from . import _bocpy

_MOST_MS = (1 << 63) // 1_000_000 - 1  # in nanoseconds it still fits into 64 bits
_MOST = (1 << 63) - 1
_log = logging.getLogger("bocpy.pump")


class PumpResult(NamedTuple):
    """What a :func:`pump` did: behaviors run, whether its deadline has passed, and how many of them raised."""

    executed: int
    deadline_reached: bool
    raised: int


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _check_ms(name: str, value: int) -> None:
    if not _is_positive(value):
        raise TypeError(f"{name} must be a positive int or None, not {value!r}")
    if value > _MOST_MS:
        raise OverflowError(f"{name} is at most {_MOST_MS} milliseconds")


def pump(deadline_ms: int | None = None, max_behaviors: int | None = None, raise_on_error: bool = False) -> PumpResult:
    """Run the pinned behaviors that are ready, one after the other, and return; never wait for more.

    :param deadline_ms: begin no further behavior after so many milliseconds; the first one runs in any case.
    :param max_behaviors: run so many at most.
    :param raise_on_error: raise what a behavior raises, at the first one that does; the rest stays queued. Else an
        exception stays in the behavior's result; only what is no ``Exception`` (``KeyboardInterrupt``, say) is raised.
    :returns: how many ran, whether the deadline has passed, and how many raised.
    :raises RuntimeError: outside the main thread, inside a behavior, or while no runtime is up (see :func:`start`).
    :raises TypeError: if a bound is neither None nor an int above 0.
    :raises OverflowError: if ``deadline_ms`` is beyond what the clock can count.
    """
    if deadline_ms is not None:
        _check_ms("deadline_ms", deadline_ms)
    if max_behaviors is not None and not _is_positive(max_behaviors):
        raise TypeError(f"max_behaviors must be a positive int or None, not {max_behaviors!r}")
    if _watchdog is not None:
        try:
            _watchdog.look()
        except BaseException:
            _bocpy._pump(-1.0, 0, False)  # runs nothing: the listener has still to be told of what is left
            raise
    bound = -1 if max_behaviors is None else min(max_behaviors, _MOST)
    return PumpResult(*_bocpy._pump(-1.0 if deadline_ms is None else float(deadline_ms), bound, bool(raise_on_error)))


class _Watchdog(NamedTuple):
    warn_ms: int
    on_starve: Callable[[int, str], object] | None

    def look(self) -> None:
        if not _bocpy._on_main_thread():
            return  # pump() says so
        seconds = _bocpy._starved_for(self.warn_ms / 1000)
        if not seconds:
            return
        message = (
            f"pinned behaviors have been waiting for {seconds * 1000:.0f} ms (the limit is {self.warn_ms} ms): "
            "call pump() more often, or let each call do less"
        )
        if self.on_starve is None:
            _log.warning(message)
        else:
            self.on_starve(0, message)


_watchdog: _Watchdog | None = None  # nobody is warned


def set_pump_watchdog(warn_ms: int | None = 1000, on_starve: Callable[[int, str], object] | None = None) -> None:
    """Warn at a :func:`pump` before which pinned behaviors have been waiting for long.

    :param warn_ms: milliseconds for which the queue has not been empty; None: warn no more (as without any call).
    :param on_starve: called with 0 and a message, once until the queue has been empty again; what it raises, ``pump()``
        raises. None: a warning on the logger ``bocpy.pump``.
    :raises RuntimeError: outside the main thread of the main interpreter.
    :raises TypeError: if ``warn_ms`` is neither None nor an int above 0, or ``on_starve`` cannot be called.
    :raises OverflowError: if ``warn_ms`` is beyond what the clock can count.
    """
    global _watchdog
    _refuse_off_main("set_pump_watchdog()")
    if warn_ms is not None:
        _check_ms("warn_ms", warn_ms)
    if on_starve is not None and not callable(on_starve):
        raise TypeError(f"on_starve must be callable or None, not {on_starve!r}")
    _watchdog = None if warn_ms is None else _Watchdog(warn_ms, on_starve)


def set_wait_pump_poll(ms: int = 50) -> None:
    """Set how often a wait on the main thread looks around by itself.

    Pinned behaviors do not depend on it: a wait wakes up when one becomes ready. It looks for signals in between, at
    least every 50 milliseconds, so longer times change nothing.

    :param ms: milliseconds.
    :raises TypeError: if it is no int above 0.
    """
    if not _is_positive(ms):
        raise TypeError(f"ms must be a positive int, not {ms!r}")
    _bocpy._set_wait_poll(min(ms, 1000) / 1000)


def set_pump_notify(callback: Callable[[], object] | None) -> None:
    """Have ``callback()`` called when pinned behaviors are ready and the main thread neither pumps nor waits.

    For event loops: the callback tells the loop to call :func:`pump`, with ``loop.call_soon_threadsafe(pump)`` for
    instance, so that it need not look by a timer. It is called once, by a thread of its own; again only after the main
    thread has pumped or waited, at once if something was left then. What it raises is logged on ``bocpy.pump``; it
    counts as told all the same.

    :param callback: takes the place of the one before; None: nobody is told.
    :raises RuntimeError: outside the main thread of the main interpreter.
    :raises TypeError: if it cannot be called.
    """
    _refuse_off_main("set_pump_notify()")
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, not {callback!r}")
    number = _bocpy._listen(callback is not None)
    if callback is None:
        return
    try:
        threading.Thread(target=_tell, args=(number, callback), name="bocpy pump", daemon=True).start()
    except BaseException:
        _bocpy._listen(False)
        raise


def _tell(number: int, callback: Callable[[], object]) -> None:
    while _bocpy._await_pinned(number):
        try:
            callback()
        except BaseException:  # a SystemExit too: it would only end this thread, and nobody would be told again
            _log.exception("the callback of set_pump_notify() failed")


def _refuse_off_main(what: str) -> None:
    if not _bocpy._on_main_thread():
        raise RuntimeError(f"{what} outside the main thread of the main interpreter: call it there")
