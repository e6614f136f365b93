"""Warnings, log records and reports of errors that a worker's interpreter hands to main.

Whether a warning is shown and a record is made is decided here, by what was mirrored at the start; what becomes of it
is main's to decide when it arrives (bocpy._delivery).
"""

from __future__ import annotations

import marshal
import sys

from . import _bocpy
from ._worker_kinds import LOG_CONFIG, LOG_RECORD, THREAD_ERROR, UNRAISABLE, WARNING

TYPE_CHECKING = False  # importing typing costs more than all of this; type checkers know the name
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from types import FrameType, TracebackType
    from typing import Any

_MOST_FRAMES = 100  # of a traceback that is told

_levels: Any = None  # what was mirrored last: (disabled level, {logger name: (level, disabled)})
_applied: set[str] = set()  # the loggers that it was applied to


def install() -> None:
    """Hook into what the interpreter has from its start; the rest follows when it is imported."""
    sys.unraisablehook = _tell_unraisable
    # C code shows warnings by itself as long as nothing has imported this.
    import warnings

    warnings._showwarnmsg_impl = _tell_warning  # type: ignore[attr-defined]


def _plain(value: Any) -> bool:
    """Can marshal carry it? It takes code as well, which nobody wants, and exact built-in types only."""
    kind = type(value)
    if kind in (list, tuple, set, frozenset):
        return all(map(_plain, value))
    if kind is dict:
        return all(_plain(key) and _plain(item) for key, item in value.items())
    return kind in (type(None), bool, int, float, complex, str, bytes)


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__} whose __str__ fails>"


# Exceptions ----------------------------------------------------------------------------------------------------------


def _records(trace: TracebackType | None) -> list[Any]:
    """File, function and line of each frame in one flat list, as bocpy._errors shows them."""
    frames: list[Any] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames += (code.co_filename, code.co_name, trace.tb_lineno)
        trace = trace.tb_next
    left_out = len(frames) // 3 - _MOST_FRAMES
    if left_out > 0:
        half = 3 * (_MOST_FRAMES // 2)
        frames[half:-half] = [None, None, left_out]
    return frames


def tell_exception(error: BaseException) -> tuple[Any, ...]:
    """The names of its classes (its own first), arguments, attributes and traceback, for ``_delivery.told_exception``.

    Nothing of the user's code runs but, where the arguments are no plain values, its ``__str__``.
    """
    classes = [(cls.__module__, cls.__qualname__) for cls in type(error).__mro__ if issubclass(cls, BaseException)]
    arguments = error.args if _plain(error.args) else (_text(error),)
    attributes = {name: value for name, value in vars(error).items() if _plain(name) and _plain(value)}
    return classes, arguments, attributes, _records(error.__traceback__)


def _tell_unraisable(report: Any) -> None:
    if getattr(report.object, "__qualname__", None) == "_DeleteDummyThreadOnDel.__del__":
        return  # of threading itself (3.13), when the interpreter ends
    error = report.exc_value if report.exc_value is not None else report.exc_type()
    told = (tell_exception(error), report.err_msg, describe_object(report.object))
    _bocpy._post(UNRAISABLE, marshal.dumps(told))


def describe_object(thing: Any) -> str | None:
    """What an object is, without its ``__repr__``: that may be the user's, and the object is half gone."""
    if thing is None:
        return None
    if type(thing) is str:
        return repr(thing)
    name = getattr(thing, "__qualname__", None) if type(thing).__module__ == "builtins" else None
    if type(name) is str:
        return f"<{type(thing).__name__} {name}>"
    return f"<{type(thing).__module__}.{type(thing).__qualname__} object>"


def tell_thread_error(report: Any) -> None:
    """threading.excepthook of a worker: a thread that a behavior has started ended with an exception."""
    if report.exc_type is SystemExit:
        return
    error = report.exc_value if report.exc_value is not None else report.exc_type()
    name = getattr(report.thread, "name", None)
    told = (tell_exception(error), name if type(name) is str else None, getattr(report.thread, "ident", None))
    _bocpy._post(THREAD_ERROR, marshal.dumps(told))


# Warnings ------------------------------------------------------------------------------------------------------------


def _module_of(filename: str, line: int) -> str | None:
    """The name of the module that the warning is about: that of the frame it points at, if this is still running."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_lineno == line and frame.f_code.co_filename == filename:
            name = frame.f_globals.get("__name__")
            return name if type(name) is str else None
        frame = frame.f_back
    return None


def _tell_warning(shown: Any) -> None:
    message, category = shown.message, shown.category
    if not isinstance(message, Warning):
        message = category(message)
    line = int(shown.lineno)
    filename = str(shown.filename)
    source = shown.line if type(shown.line) is str else None
    told = (tell_exception(message), _text(message), filename, line, source, _module_of(filename, line))
    _bocpy._post(WARNING, marshal.dumps(told))


# Log records ---------------------------------------------------------------------------------------------------------


def mirror_logging(levels: Any) -> None:
    """Take the levels of main's loggers; they are applied once logging is imported here."""
    global _levels
    _levels = levels
    if "logging" in sys.modules:
        _apply_levels(sys.modules["logging"])


def _apply_levels(logging: Any) -> None:
    if _levels is None:
        return
    disabled, levels = _levels
    for name in _applied.difference(levels):
        logging.getLogger(name).setLevel(logging.NOTSET)
        logging.getLogger(name).disabled = False
    for name, (level, off) in levels.items():
        logger = logging.getLogger(name)  # "" is the root's
        logger.setLevel(level)
        logger.disabled = off
    _applied.clear()
    _applied.update(levels)
    logging.disable(disabled)


class _Handlers:
    """Which handlers in this interpreter are main's too: those that a module has added while it was imported here.

    Main has imported the module as well, or will if it wants to: what such a handler does is done there, once.
    """

    def __init__(self, importing: Callable[[], bool]) -> None:
        self.importing = importing
        self.of_modules: Any = None  # a weak set

    def add(self, handler: object) -> None:
        if not self.importing():
            return
        if self.of_modules is None:
            from _weakrefset import WeakSet

            self.of_modules = WeakSet()
        self.of_modules.add(handler)

    def is_own(self, handler: object) -> bool:
        return self.of_modules is None or handler not in self.of_modules


def patch_logging(logging: Any, importing: Callable[[], bool]) -> None:
    """Records go to main, and before that to the handlers that behaviors have added here."""
    handlers = _Handlers(importing)
    add_handler = logging.Logger.addHandler

    def addHandler(self: Any, hdlr: Any) -> None:
        add_handler(self, hdlr)
        handlers.add(hdlr)

    def callHandlers(self: Any, record: Any) -> None:
        logger = self
        while logger is not None:
            for handler in list(logger.handlers):
                if record.levelno >= handler.level and handlers.is_own(handler):
                    handler.handle(record)
            logger = logger.parent if logger.propagate else None
        _tell_record(logging, record)

    addHandler.__doc__ = add_handler.__doc__
    callHandlers.__doc__ = logging.Logger.callHandlers.__doc__
    logging.Logger.addHandler = addHandler
    logging.Logger.callHandlers = callHandlers
    logging.basicConfig = _configure_main(logging, importing)
    _apply_levels(logging)


def _configure_main(logging: Any, importing: Callable[[], bool]) -> Callable[..., None]:
    """logging.basicConfig for a worker; logging.error() and its like call it too, as long as there is no handler.

    Main configures itself, since its handlers are those that count; objects (a stream, handlers) stay here.
    """
    original = logging.basicConfig

    def basicConfig(**settings: Any) -> None:
        if not _plain(settings):
            original(**settings)
            return
        root = logging.root
        if settings.get("level") is not None and not importing():
            root.setLevel(settings["level"])
        if not importing():
            _bocpy._post(LOG_CONFIG, marshal.dumps(settings))
        if not root.handlers:
            root.handlers.append(logging.NullHandler())

    basicConfig.__doc__ = original.__doc__
    return basicConfig


def _tell_record(logging: Any, record: logging.LogRecord) -> None:
    try:
        told = dict(record.__dict__)
        told["msg"] = record.getMessage()
        if record.exc_info and not record.exc_text:
            told["exc_text"] = logging.Formatter().formatException(record.exc_info)
    except Exception:
        logging.Handler().handleError(record)  # says where the call is whose arguments do not fit
        return
    told["args"] = told["exc_info"] = None
    told.pop("message", None)
    for name, value in told.items():
        if not _plain(value):
            told[name] = describe_object(value)
    _bocpy._post(LOG_RECORD, marshal.dumps(told))
