"""Imports in a worker's interpreter.

A finder in front of all others passes every import on to them and looks at what they found:
- before 3.14 an extension module that a sub-interpreter imports first may corrupt the process: main imports it first;
- one that refuses interpreters with a GIL of their own fails with an error that says what to do about it;
- a few modules of the standard library are changed once they are there (logging, threading, signal, ...);
- globals of a module that are cowns in main become main's cowns;
- a package imports its submodules as they are named (_worker_packages.py).
"""

from __future__ import annotations

import marshal
import sys

from . import _bocpy, _module_cowns, _worker_packages, _worker_refusals, _worker_reports
from ._worker_kinds import IMPORT, REFUSED

TYPE_CHECKING = False  # importing typing costs more than all of this; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Any

main_modules: set[str] = set()  # that main has imported: as of the last start, and what it was asked for since

_MAIN_FIRST = sys.version_info < (3, 14)
_REFUSALS = ("does not support loading in subinterpreters", "cannot load module more than once per process")
_external: Any = sys.modules["_frozen_importlib_external"]
_internal: Any = sys.modules["_frozen_importlib"]
_stdlib = ""  # the folder, with a separator at its end
_importing = 0  # modules whose code runs now, on any thread of this interpreter
_after: dict[str, Callable[[Any], None]] = {}  # what is to be done to a module once it is there


def install(index: int, modules: frozenset[str], main_ident: int) -> None:
    """Put the finder in place. Called once, with the interpreter's first thread state."""
    global _stdlib
    main_modules.update(modules)
    _stdlib = (sys.modules["os"].__file__ or "").rpartition("os.")[0]

    def threading_came(threading: Any) -> None:
        _worker_refusals.patch_threading(threading, index, main_ident, _worker_reports.tell_thread_error)

    def logging_came(logging: Any) -> None:
        _worker_reports.patch_logging(logging, lambda: _importing > 0)

    _after["threading"] = threading_came
    _after["logging"] = logging_came
    _after["signal"] = _worker_refusals.patch_signal
    _after["faulthandler"] = _worker_refusals.patch_faulthandler
    _worker_refusals.refuse_processes()
    for name in [name for name in _after if name in sys.modules]:
        _after.pop(name)(sys.modules[name])
    sys.meta_path.insert(0, _Finder)
    if sys.version_info < (3, 13):
        # Imported from another thread state than the first, it fails when the interpreter ends.
        import threading  # noqa: F401


def uninstall() -> None:
    """Leave imports to the others."""
    if _Finder in sys.meta_path:
        sys.meta_path.remove(_Finder)


class _Finder:
    """In front of sys.meta_path: the spec is what the finders behind it say, with a loader that does the above."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is _Finder or find is None:
                continue
            spec = find(name, path, target)
            if spec is not None:
                loader = spec.loader
                if loader is not None and hasattr(loader, "exec_module"):
                    spec.loader = _Loader(loader, name)
                return spec
        return None


def _is_native(loader: Any) -> bool:
    return loader is _internal.BuiltinImporter or isinstance(loader, _external.ExtensionFileLoader)


class _Loader:
    """Stands for a module's loader until its code runs; then the module has its own loader again."""

    def __init__(self, loader: Any, name: str) -> None:
        self._loader = loader
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> Any:
        if _is_native(self._loader):
            if _MAIN_FIRST and self._name not in main_modules:
                _import_in_main(self._name, spec.origin)
            try:
                return self._loader.create_module(spec)
            except ImportError as error:
                raise _explained(self._name, error) from error
        create = getattr(self._loader, "create_module", None)
        return create(spec) if create is not None else None

    def exec_module(self, module: Any) -> None:
        global _importing
        loader, name = self._loader, self._name
        spec = module.__spec__
        spec.loader = module.__loader__ = loader
        own = not _is_native(loader) and loader is not _internal.FrozenImporter and not _of_stdlib(spec.origin)
        _importing += own
        try:
            loader.exec_module(module)
        except ImportError as error:
            explained = _explained(name, error)
            if explained is error:
                raise
            raise explained from error
        finally:
            _importing -= own
        if own:
            _module_cowns.replace(name)
        present = sys.modules.get(name)
        if present is not None and "__path__" in present.__dict__:
            _worker_packages.complete(present)
        change = _after.pop(name, None)
        if change is not None:
            change(sys.modules[name])


def _of_stdlib(origin: str | None) -> bool:
    return origin is not None and origin.startswith(_stdlib) and not origin.startswith(_stdlib + "site-packages")


def _import_in_main(name: str, origin: str | None) -> None:
    """Main imports the extension module first; ImportError if it cannot, and then nobody tries it here."""
    try:
        failure = marshal.loads(_bocpy._ask(IMPORT, marshal.dumps((name, origin))))
    except RuntimeError as error:
        raise ImportError(f"{name} cannot be imported in a behavior: {error}", name=name, path=origin) from error
    if failure is not None:
        kind = ModuleNotFoundError if failure[0] else ImportError
        raise kind(
            f"{failure[1]} (in the main interpreter, which has to import the extension module {name} before behaviors "
            "can)",
            name=name,
            path=origin,
        )
    main_modules.add(name)


def _refusal_in(error: BaseException | None) -> str | None:
    """The text of the refusal that this exception has come from, if any."""
    for _ in range(20):
        if error is None:
            return None
        told = getattr(error, "_bocpy_refusal", None)
        if told is not None:
            return str(told)
        error = error.__cause__ or error.__context__
    return None


def _explained(name: str, error: ImportError) -> ImportError:
    """The error to raise for a failed import of `name`: the same one unless an extension module's refusal is behind."""
    told = _refusal_in(error)
    text = f"{name} cannot be imported in a behavior: {told}"
    if told is None:
        if not any(sign in str(error) for sign in _REFUSALS):
            return error
        text = told = (
            f"the extension module {error.name or name} does not support interpreters with a GIL of their own, in "
            "which behaviors run on this backend. Use it on the main thread, outside behaviors, and give cowns what "
            "comes out of it; or run on a free-threaded Python, or with BOCPY_BACKEND=threads, where behaviors can "
            "import it"
        )
    _bocpy._post(REFUSED, marshal.dumps((name, told)))
    if getattr(error, "_bocpy_refusal", None) is not None:
        return error
    explained = ImportError(text, name=name, path=error.path)
    explained._bocpy_refusal = told  # type: ignore[attr-defined]
    return explained
