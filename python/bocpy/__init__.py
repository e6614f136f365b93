"""Behavior-oriented concurrency: all cores, without locks, deadlocks or data races.

A :class:`Cown` owns a value. ``@when(a, b)`` schedules a function that runs once it holds ``a`` and ``b``, alone.

>>> from bocpy import Cown, when
>>> account = Cown(100)
>>> @when(account)
... def balance(account):
...     account.value += 20
...     return account.value
>>> balance.result()
120
"""

from __future__ import annotations

from . import _bocpy
from ._bocpy import (
    REMOVED,
    TIMEOUT,
    Cown,
    Matrix,
    MatrixView,
    PinnedCown,
    batch,
    drain,
    hold,
    notice_delete,
    notice_read,
    notice_seed,
    notice_update,
    notice_write,
    noticeboard,
    read,
    receive,
    scope,
    send,
    set_tags,
    when,
    whencall,
)

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

    from ._config import WORKER_COUNT, backend
    from ._errors import CancelledError, TransferError
    from ._include import get_include, get_sources
    from ._pump import PumpResult, pump, set_pump_notify, set_pump_watchdog, set_wait_pump_poll
    from ._runtime import WaitResult, quiesce, start, wait

    __version__: str

__all__ = [
    "REMOVED",
    "TIMEOUT",
    "WORKER_COUNT",
    "CancelledError",
    "Cown",
    "Matrix",
    "MatrixView",
    "PinnedCown",
    "PumpResult",
    "TransferError",
    "WaitResult",
    "__version__",
    "backend",
    "batch",
    "drain",
    "get_include",
    "get_sources",
    "hold",
    "notice_delete",
    "notice_read",
    "notice_seed",
    "notice_update",
    "notice_write",
    "noticeboard",
    "pump",
    "quiesce",
    "read",
    "receive",
    "scope",
    "send",
    "set_pump_notify",
    "set_pump_watchdog",
    "set_tags",
    "set_wait_pump_poll",
    "start",
    "wait",
    "when",
    "whencall",
]

# What workers' interpreters, and most programs, use seldom or never.
_LATER = {
    "WORKER_COUNT": "_config",
    "backend": "_config",
    "CancelledError": "_errors",
    "TransferError": "_errors",
    "get_include": "_include",
    "get_sources": "_include",
    "PumpResult": "_pump",
    "WaitResult": "_runtime",
    "pump": "_pump",
    "quiesce": "_runtime",
    "set_pump_notify": "_pump",
    "set_pump_watchdog": "_pump",
    "set_wait_pump_poll": "_pump",
    "start": "_runtime",
    "wait": "_runtime",
}

# Internal names of the original bocpy that programs use, and what to do instead.
_INTERNAL = {
    "Behaviors": "was internal to the original bocpy and does not exist in this one (bocpy-dual): use start(), "
    "quiesce() and wait(). docs/migrating-from-0.9.md has the list of differences"
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from ._install_check import version

        return version()
    if name in _INTERNAL:
        # Not an AttributeError: `from bocpy import ...` would put a message of its own in its place.
        raise ImportError(f"bocpy.{name} {_INTERNAL[name]}")
    if name not in _LATER:
        raise AttributeError(f"module 'bocpy' has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(f"bocpy.{_LATER[name]}"), name)
    globals()[name] = found
    return found


if _bocpy._home_index() == 0:  # a worker's interpreter has neither an end of a program nor forks of its own
    # What the native part looks up while it schedules: there before the first @when, also when the interpreter ends.
    from . import _analysis as _analysis
    from . import _codec as _codec
    from . import _install_check
    from . import _reports as _reports
    from ._config import WORKER_COUNT, backend
    from ._errors import TransferError
    from ._runtime import WaitResult, install, quiesce, start, wait

    if backend() == "subinterp":
        # Before any worker does (CPython 3.12 minds who is first), and before a signal handler comes in between.
        from . import _carry as _carry
        from . import _carry_load as _carry_load
        from . import _delivery as _delivery
        from . import _snapshot as _snapshot
    install()
    _install_check.warn_about_twin(__file__)
