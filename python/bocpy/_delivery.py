"""Main's end of what workers send: output, warnings, log records, errors, and requests.

``handle`` and ``answer`` are called by the native service (main_service.cpp): the first by whichever thread of main
delivers, one at a time, the second by the service thread.
"""

from __future__ import annotations

import marshal
import sys
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from . import _analysis, _bocpy, _module_cowns, _worker_kinds
from ._errors import BehaviorTraceback

# Modules that no behavior on a sub-interpreter can import, and why; from the first failure on.
refused_modules: dict[str, str] = {}


def refusal_of(module_name: str) -> str | None:
    """Why behaviors cannot import the module, or None if nothing is known against it."""
    while module_name:
        if module_name in refused_modules:
            return refused_modules[module_name]
        module_name = module_name.rpartition(".")[0]
    return None


def refuse_imports(function: FunctionType) -> None:
    """Raise ImportError if the function of a behavior needs a module that workers cannot import.

    Called at the ``@when`` once a worker has failed to import something.
    """
    names = _analysis.imported_modules(function.__code__)
    for name in _analysis.analyze(function.__code__)[0]:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            names.append(value.__name__)
    for name in names:
        why = refusal_of(name)
        if why is not None:
            raise ImportError(why, name=name)


def handle(kind: int, data: bytes) -> None:
    """Deliver one post. What goes wrong is raised: the caller reports it and goes on with the next."""
    _handlers[kind](data)


def answer(kind: int, data: bytes) -> bytes:
    """Answer one request."""
    if kind == _worker_kinds.IMPORT:
        return marshal.dumps(_import_for_worker(*marshal.loads(data)))
    if kind == _worker_kinds.MODULE_COWNS:
        return _module_cowns.collect(data.decode())
    raise ValueError(f"no request of kind {kind}")


# Output --------------------------------------------------------------------------------------------------------------

_failing: tuple[int, type] | None = None  # a stream that fails with each write is reported once


def _on_stream(name: str, use: Any) -> None:
    global _failing
    stream = getattr(sys, name, None)
    if stream is None:
        return
    try:
        use(stream)
    except Exception as error:
        failure = (id(stream), type(error))
        if failure == _failing:
            return
        _failing = failure
        raise
    if _failing is not None and _failing[0] == id(stream):
        _failing = None


def _write_text(name: str, data: bytes) -> None:
    text = data.decode("utf-8", "surrogatepass")

    def write(stream: Any) -> None:
        try:
            stream.write(text)
        except UnicodeEncodeError as error:
            # The behavior that wrote it is gone: better to show it another way than not at all.
            stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))

    _on_stream(name, write)


def _write_bytes(name: str, data: bytes) -> None:
    def write(stream: Any) -> None:
        buffer = getattr(stream, "buffer", None)
        if buffer is None:
            stream.write(data.decode(getattr(stream, "encoding", None) or "utf-8", "replace"))
            return
        stream.flush()
        buffer.write(data)
        buffer.flush()

    _on_stream(name, write)


def _flush(name: str) -> None:
    _on_stream(name, lambda stream: stream.flush())


# Exceptions ----------------------------------------------------------------------------------------------------------


def _find_class(names: list[tuple[str, str]]) -> tuple[type[BaseException], bool]:
    """The first of the classes that main has, and whether it is the exception's own."""
    for index, (module, qualified) in enumerate(names):
        found: Any = sys.modules.get(module)
        for part in qualified.split("."):
            found = getattr(found, part, None)
        if isinstance(found, type) and issubclass(found, BaseException):
            return found, index == 0
    return Exception, False


def _bare(cls: type[BaseException], arguments: tuple[Any, ...]) -> BaseException:
    """An instance without its ``__init__`` having run."""
    base = next(base for base in cls.__mro__ if not base.__flags__ & (1 << 9))  # built in: no Py_TPFLAGS_HEAPTYPE
    try:
        error: BaseException = base.__new__(cls, *arguments)
    except TypeError:
        error = BaseException.__new__(cls)
    error.args = arguments
    return error


def told_exception(told: tuple[Any, ...]) -> BaseException:
    """Rebuild what ``_worker_reports.tell_exception`` told; its traceback is its cause."""
    names, arguments, attributes, records = told
    cls, own = _find_class(names)
    if not own:
        arguments = (f"{names[0][1]}: {', '.join(map(str, arguments))}",)
    error = _bare(cls, tuple(arguments))
    if own:
        error.__dict__.update(attributes)
    if records:
        error.__cause__ = BehaviorTraceback(tuple(records))
    return error


class _Described:
    """Stands for an object of a worker's interpreter: its ``repr`` says what it was, and what happened there."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


_ReportType: Any = None


def _report_type() -> Any:
    """The class of what sys.unraisablehook gets: the default hook takes no other, and no module has it."""
    global _ReportType
    if _ReportType is not None:
        return _ReportType
    previous = sys.unraisablehook
    sentinel = RuntimeError()

    def catch(report: Any) -> None:
        global _ReportType
        if report.exc_value is sentinel:
            _ReportType = type(report)
        else:
            previous(report)

    class Fails:
        def __del__(self) -> None:
            raise sentinel

    sys.unraisablehook = catch
    try:
        Fails()
    finally:
        sys.unraisablehook = previous
    return _ReportType or SimpleNamespace


def _unraisable(data: bytes) -> None:
    told, message, thing = marshal.loads(data)
    error = told_exception(told)
    text = thing or ""
    if sys.version_info < (3, 15) and isinstance(error.__cause__, BehaviorTraceback):
        # The default hook shows no causes before.
        text = f"{text}\n{error.__cause__}" if text else str(error.__cause__)
    shown = _Described(text) if text else None
    sys.unraisablehook(_report_type()((type(error), error, None, message, shown)))


def _thread_error(data: bytes) -> None:
    import threading

    told, name, ident = marshal.loads(data)
    error = told_exception(told)
    thread = SimpleNamespace(name=name or "a thread of a behavior", ident=ident, daemon=False)
    threading.excepthook(threading.ExceptHookArgs((type(error), error, None, thread)))


# Warnings ------------------------------------------------------------------------------------------------------------

_registries: dict[str, dict[Any, Any]] = {}  # per file: what was shown once is not shown again for another worker


def _warning(data: bytes) -> None:
    import warnings

    told, text, filename, line, source, module = marshal.loads(data)
    message: Any = told_exception(told)
    message.__cause__ = None
    if not isinstance(message, Warning):
        message = UserWarning(text)
    # Without a module, which is not the same as None: then it is named after the file.
    named = {} if module is None else {"module": module}
    registry = _registries.setdefault(filename, {})
    try:
        warnings.warn_explicit(message, type(message), filename, line, registry=registry, **named)
    except Warning as raised:
        if raised is not message:
            raise
        # Main's filters make errors of such warnings now; the worker's did not when its behavior went on.
        shown = warnings.WarningMessage(message, type(message), filename, line, None, source)
        warnings._showwarnmsg(shown)  # type: ignore[attr-defined]


# Log records ---------------------------------------------------------------------------------------------------------


def _log_record(data: bytes) -> None:
    import logging

    record = logging.makeLogRecord(marshal.loads(data))
    logger = logging.getLogger(record.name) if record.name != "root" else logging.getLogger()
    logger.handle(record)


def _log_config(data: bytes) -> None:
    import logging

    logging.basicConfig(**marshal.loads(data))


# Imports -------------------------------------------------------------------------------------------------------------


def _refused(data: bytes) -> None:
    name, text = marshal.loads(data)
    refused_modules.setdefault(name, text)
    _bocpy._check_imports()


_loaded: list[Any] = []  # modules that main has only for the workers


def _import_for_worker(name: str, origin: str | None) -> tuple[bool, str] | None:
    """Import an extension module before a worker does; None, or (is it missing, why it cannot be imported)."""
    import importlib.util

    try:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            # The worker has another sys.path by now, and has found it there.
            spec = importlib.util.spec_from_file_location(name, origin) if origin else None
            if spec is None or spec.loader is None:
                raise
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            _loaded.append(module)
    except ImportError as error:
        return isinstance(error, ModuleNotFoundError), str(error)
    except Exception as error:
        return False, f"{type(error).__name__}: {error}"
    return None


_handlers: dict[int, Any] = {
    _worker_kinds.STDOUT_TEXT: lambda data: _write_text("stdout", data),
    _worker_kinds.STDERR_TEXT: lambda data: _write_text("stderr", data),
    _worker_kinds.STDOUT_BYTES: lambda data: _write_bytes("stdout", data),
    _worker_kinds.STDERR_BYTES: lambda data: _write_bytes("stderr", data),
    _worker_kinds.STDOUT_FLUSH: lambda data: _flush("stdout"),
    _worker_kinds.STDERR_FLUSH: lambda data: _flush("stderr"),
    _worker_kinds.WARNING: _warning,
    _worker_kinds.UNRAISABLE: _unraisable,
    _worker_kinds.THREAD_ERROR: _thread_error,
    _worker_kinds.LOG_RECORD: _log_record,
    _worker_kinds.LOG_CONFIG: _log_config,
    _worker_kinds.FAILURE: lambda data: _bocpy._report_failure(data),
    _worker_kinds.REFUSED: _refused,
}
