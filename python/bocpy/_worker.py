"""The surroundings of behaviors in a worker's own interpreter: as in main, as far as an interpreter can.

Called by the backend: ``begin`` once, ``resume`` at every later start, ``pause`` when the workers stop, ``end`` before
the interpreter ends. Each import here is paid by every worker, so there are few.
"""

from __future__ import annotations

import marshal
import os
import sys

from . import _bocpy, _worker_imports, _worker_output, _worker_reports

TYPE_CHECKING = False  # importing typing costs more than all of this; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

# Visits wait for it, and nobody else: each worker has a GIL of its own.
_SWITCH_INTERVAL = 0.0001

_filters: object = None  # as they were mirrored last


def begin(index: int, snapshot: bytes) -> None:
    """Make a fresh interpreter the surroundings of worker `index`'s behaviors."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    state = marshal.loads(snapshot)
    _worker_output.install(state["stdout"], state["stderr"])
    _worker_reports.install()
    _mirror(state)
    _worker_imports.install(index, state["modules"], state["main_ident"])


def resume(snapshot: bytes) -> None:
    """Follow what main has changed since the last start."""
    state = marshal.loads(snapshot)
    _worker_output.describe(state["stdout"], state["stderr"])
    _mirror(state)
    _worker_imports.main_modules.update(state["modules"])
    # Main may have written modules since; a folder's listing is kept by its time, which is coarse.
    for finder in list(sys.path_importer_cache.values()):
        invalidate = getattr(finder, "invalidate_caches", None)
        if invalidate is not None:
            invalidate()


def flush() -> None:
    """Let out what this thread has written without ending the line."""
    _bocpy._flush_output(0)
    _bocpy._flush_output(1)


def pause() -> None:
    """Nothing of ours is held while the worker sleeps."""
    flush()


def end() -> None:
    """The interpreter ends next: what runs from here on needs nothing that main would have to answer."""
    flush()
    _worker_imports.uninstall()


def _mirror(state: dict[str, Any]) -> None:
    sys.path[:] = state["path"]
    sys.argv = state["argv"]
    sys.dont_write_bytecode = state["dont_write_bytecode"]
    sys.pycache_prefix = state["pycache_prefix"]
    if state["int_max_str_digits"] is not None:
        sys.set_int_max_str_digits(state["int_max_str_digits"])
    sys.setrecursionlimit(state["recursion_limit"])
    _mirror_environment(state["environ"])
    _mirror_filters(state["filters"])
    _worker_reports.mirror_logging(state["logging"])
    main = sys.modules["__main__"]
    if state["main_file"] is not None:
        main.__file__ = state["main_file"]
    elif getattr(main, "__file__", None) is not None:
        del main.__file__


def _mirror_environment(environment: dict[Any, Any]) -> None:
    # The process's environment is there already: os.environ is each interpreter's copy of it.
    data = getattr(os.environ, "_data", None)
    if isinstance(data, dict) and data != environment:
        data.clear()
        data.update(environment)


def _mirror_filters(filters: list[tuple[Any, ...]]) -> None:
    global _filters
    if filters == _filters:
        return  # what was shown once is not shown again after each start
    import warnings

    mirrored = [
        (action, _matcher(message), _category(*names), _matcher(module), line)
        for action, message, names, module, line in filters
    ]
    warnings.resetwarnings()
    warnings.filters.extend(mirrored)  # type: ignore[attr-defined]
    _filters = filters


class _Pattern:
    """A compiled pattern that is compiled when it is needed: importing re takes longer than all of this module."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern = pattern
        self.flags = flags

    def match(self, text: str) -> object:
        import re

        return re.compile(self.pattern, self.flags).match(text)


def _matcher(told: Any) -> Any:
    return _Pattern(*told) if type(told) is tuple else told


class _Category:
    """Stands in a filter for a class of warnings that is found in no module here (yet): it is known by its name."""

    def __init__(self, module: str, name: str) -> None:
        self.__module__ = module
        self.__qualname__ = name

    def __subclasscheck__(self, cls: type) -> bool:
        return any(
            base.__module__ == self.__module__ and base.__qualname__ == self.__qualname__ for base in cls.__mro__
        )

    def __instancecheck__(self, instance: object) -> bool:
        return self.__subclasscheck__(type(instance))


def _category(module: str, name: str) -> Any:
    found = getattr(sys.modules["builtins"], name, None) if module == "builtins" else None
    return found if isinstance(found, type) else _Category(module, name)
