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

from typing import TYPE_CHECKING, Any

# What the native part looks up while it schedules: there before the first @when, also when the interpreter ends.
from . import _analysis as _analysis
from . import _codec as _codec
from . import _install_check, _runtime
from . import _reports as _reports
from ._bocpy import Cown, batch, hold, read, scope, when, whencall
from ._config import WORKER_COUNT, backend
from ._errors import TransferError
from ._runtime import WaitResult, quiesce, start, wait

__all__ = [
    "WORKER_COUNT",
    "CancelledError",
    "Cown",
    "TransferError",
    "WaitResult",
    "__version__",
    "backend",
    "batch",
    "hold",
    "quiesce",
    "read",
    "scope",
    "start",
    "wait",
    "when",
    "whencall",
]

_runtime.install()
_install_check.warn_about_twin(__file__)


if TYPE_CHECKING:
    from ._errors import CancelledError

    __version__: str


def __getattr__(name: str) -> Any:
    # Both need modules that most programs never use.
    if name == "CancelledError":
        from ._errors import CancelledError

        return CancelledError
    if name == "__version__":
        from ._install_check import version

        return version()
    raise AttributeError(f"module 'bocpy' has no attribute {name!r}")
