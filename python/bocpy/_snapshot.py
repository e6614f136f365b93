"""What workers' interpreters mirror of main at every start, as bytes.

``take`` runs in main before the workers start, ``bocpy._worker`` takes it apart. Marshal, because it needs no import
and takes microseconds; so everything here is a built-in value, and classes go by their names.
"""

from __future__ import annotations

import marshal
import os
import sys
from typing import Any


def _pattern(matcher: Any) -> Any:
    # None, a plain text (compared as a whole) or a compiled pattern.
    if matcher is None or type(matcher) is str:
        return matcher
    try:
        return (matcher.pattern, int(matcher.flags))
    except (AttributeError, TypeError, ValueError):
        return None


def warning_filters() -> list[tuple[Any, ...]]:
    """The filters in force here now, categories as (module, qualified name)."""
    warnings = sys.modules.get("warnings")
    if warnings is None:
        filters: Any = getattr(sys.modules.get("_warnings"), "filters", ())
    elif hasattr(warnings, "_get_filters"):  # 3.14: those of the context, where contexts have some
        filters = warnings._get_filters()
    else:
        filters = warnings.filters
    told = []
    for action, message, category, module, line in list(filters):
        names = (getattr(category, "__module__", ""), getattr(category, "__qualname__", ""))
        told.append((str(action), _pattern(message), names, _pattern(module), int(line)))
    return told


def _stream(stream: Any) -> tuple[Any, ...]:
    """(encoding, errors, descriptor or None, is it a terminal) of a stream of main's."""
    encoding = getattr(stream, "encoding", None)
    errors = getattr(stream, "errors", None)
    try:
        descriptor = stream.fileno()
    except Exception:
        descriptor = None
    try:
        terminal = bool(stream.isatty())
    except Exception:
        terminal = False
    return (
        encoding if type(encoding) is str else "utf-8",
        errors if type(errors) is str else "strict",
        descriptor if type(descriptor) is int else None,
        terminal,
    )


def _logging() -> tuple[int, dict[str, tuple[int, bool]]] | None:
    """What decides which records are made: what is disabled, and loggers with a level of their own."""
    logging: Any = sys.modules.get("logging")
    manager = getattr(getattr(logging, "root", None), "manager", None)
    if manager is None:
        return None
    levels = {"": (int(logging.root.level), bool(logging.root.disabled))}
    for name, logger in list(manager.loggerDict.items()):
        level = getattr(logger, "level", 0)  # placeholders have none
        if level or getattr(logger, "disabled", False):
            levels[name] = (int(level), bool(logger.disabled))
    return int(manager.disable), levels


def _environment() -> dict[Any, Any]:
    data = getattr(os.environ, "_data", None)
    return {key: value for key, value in data.items()} if isinstance(data, dict) else {}


def take() -> bytes:
    """Everything that a worker mirrors."""
    main = sys.modules.get("__main__")
    main_file = getattr(main, "__file__", None)
    state = {
        "path": [entry for entry in sys.path if type(entry) in (str, bytes)],
        "argv": [word for word in getattr(sys, "argv", []) if type(word) is str],
        "dont_write_bytecode": bool(sys.dont_write_bytecode),
        "pycache_prefix": sys.pycache_prefix if type(sys.pycache_prefix) is str else None,
        "int_max_str_digits": sys.get_int_max_str_digits() if hasattr(sys, "get_int_max_str_digits") else None,
        "recursion_limit": sys.getrecursionlimit(),
        "environ": _environment(),
        "filters": warning_filters(),
        "stdout": _stream(sys.stdout),
        "stderr": _stream(sys.stderr),
        "main_file": main_file if type(main_file) is str else None,
        "main_ident": _main_ident(),
        "logging": _logging(),
        "modules": frozenset(name for name in list(sys.modules) if type(name) is str),
    }
    return marshal.dumps(state)


def _main_ident() -> int:
    threading: Any = sys.modules.get("threading")
    return int(threading.main_thread().ident or 0) if threading is not None else 0
