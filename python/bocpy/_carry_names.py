"""What goes by name from one interpreter to another, because every interpreter can import it."""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

# Each interpreter has its own module of these names; what is in it cannot be imported. The second one is what children
# of multiprocessing call the main script.
_PRIVATE = frozenset({"__main__", "__mp_main__"})

MISSING: Any = type("MISSING", (), {"__repr__": lambda self: "<missing>", "__slots__": ()})()

# What importable() found out: name -> (the module it was asked about, the answer).
_asked: dict[str, tuple[ModuleType, bool]] = {}


def _same_place(spec: Any, module: ModuleType) -> bool:
    here = getattr(module, "__file__", None)
    there = spec.origin
    if type(here) is not str or type(there) is not str or spec.loader is None or not spec.has_location:
        return True  # built-in, frozen, or a namespace package
    # Code may run from a .pyc while the spec names the source, or the other way round.
    return here.rpartition(".")[0] == there.rpartition(".")[0]


def _can_be_found(name: str, module: ModuleType) -> bool:
    parent, _, _ = name.rpartition(".")
    path = None
    if parent:
        if not importable(parent):
            return False
        path = getattr(sys.modules[parent], "__path__", ())
    for finder in sys.meta_path:
        find_spec = getattr(finder, "find_spec", None)
        spec = find_spec(name, path, None) if find_spec is not None else None
        if spec is not None:
            return _same_place(spec, module)
    # Some packages put submodules into sys.modules that no finder knows (in 3.13 collections.abc).
    own_name = getattr(getattr(module, "__spec__", None), "name", None)
    if own_name is None:
        return bool(parent) and type(module) is not ModuleType
    return bool(parent) and own_name != name and importable(own_name)


def is_standard(name: object) -> bool:
    """Whether the name is that of a module of the standard library."""
    return type(name) is str and name.partition(".")[0] in sys.stdlib_module_names


def importable(name: object) -> bool:
    """Whether a fresh interpreter gets this module by importing the name."""
    if type(name) is not str or name in _PRIVATE:
        return False
    module = sys.modules.get(name)
    if not isinstance(module, ModuleType):
        return False
    known = _asked.get(name)
    if known is not None and known[0] is module:
        return known[1]
    spec = getattr(module, "__spec__", None)
    # A module made by hand has neither; one that a stand-in of the same name replaced itself by may have a file only.
    answer = spec is not None or getattr(module, "__file__", None) is not None
    if answer and not is_standard(name):
        try:
            answer = _can_be_found(name, module)
        except Exception:  # somebody's finder
            answer = False
    if getattr(spec, "_initializing", False):
        return answer  # ask again when it is complete
    _asked[name] = (module, answer)
    return answer


def find(module_name: object, qualname: object) -> Any:
    """What stands under `qualname` in that module; MISSING if nothing does, or no fresh interpreter can have it."""
    if type(qualname) is not str or "<" in qualname or not importable(module_name):
        return MISSING
    found: Any = sys.modules[module_name]  # type: ignore[index]
    try:
        for part in qualname.split("."):
            found = getattr(found, part)
    except Exception:  # a module's own __getattr__ may raise anything
        return MISSING
    return found


def other_name(cls: type) -> str | None:
    """The name by which its module has a class that does not stand under its own."""
    if not importable(cls.__module__):
        return None
    return name_within(vars(sys.modules[cls.__module__]), cls)


def name_within(namespace: dict[str, Any], thing: object) -> str | None:
    """A name under which the thing itself stands there."""
    return next((name for name, value in list(namespace.items()) if value is thing), None)


def name_of_module(module: ModuleType) -> str:
    """The name to import the module by. ImportError if there is none."""
    name: Any = module.__dict__.get("__name__")
    if sys.modules.get(name) is not module:
        name = name_within(sys.modules, module) or name
    if name == "__main__" or (importable(name) and sys.modules[name] is module):
        return str(name)
    shown = name if type(name) is str else "?"
    raise ImportError(f"the module '{shown}' exists in this interpreter only: no other one can import it")


def module_named(name: str) -> ModuleType:
    """Import the module."""
    module = sys.modules.get(name)
    if module is None:
        __import__(name)
        module = sys.modules[name]
    return module


_type_names: dict[int, str] = {}


def name_in_types(cls: type) -> str | None:
    """Built-in types that stand under no name of their own may stand in `types`."""
    import types

    if not _type_names:
        _type_names.update({id(value): name for name, value in vars(types).items() if isinstance(value, type)})
    name = _type_names.get(id(cls))
    return name if name is not None and getattr(types, name, None) is cls else None
