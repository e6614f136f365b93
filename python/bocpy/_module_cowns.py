"""Cowns that are globals of modules: a module that a worker imports gets those of main, so that all share them.

The worker has just run the module's code, which made cowns of its own. Main tells which globals of its module are
cowns or built-in containers with cowns in them; they replace the worker's before anybody has seen these.
"""

from __future__ import annotations

import sys

from . import _bocpy
from ._worker_kinds import MODULE_COWNS

TYPE_CHECKING = False  # importing typing costs more than all of this; type checkers know the name
if TYPE_CHECKING:
    from typing import Any

_DEPTH = 6  # of containers in containers
_MOST = 10_000  # items looked at per global
_ATOMS = (type(None), bool, int, float, complex, str, bytes)


def _search(value: Any, depth: int, left: list[int]) -> bool | None:
    """True: a cown, or a container with one; False: none in it; None: something that stays with its interpreter."""
    kind = type(value)
    if kind is _bocpy.Cown or kind is _bocpy.PinnedCown:
        return True
    if kind in _ATOMS:
        return False
    if kind not in (list, tuple, set, frozenset, dict) or depth == 0:
        return None
    left[0] -= len(value)
    if left[0] < 0:
        return None
    found = False
    for part in (value, value.values()) if kind is dict else (value,):
        for item in list(part):
            inside = _search(item, depth - 1, left)
            if inside is None:
                return None
            found |= inside
    return found


def has_cowns(value: Any) -> bool:
    """Is it a cown, or a built-in container of cowns and plain values?"""
    return bool(_search(value, _DEPTH, [_MOST]))


def collect(name: str) -> bytes:
    """In main: the pickled dict of those globals of module `name`; empty if there are none."""
    module = sys.modules.get(name)
    namespace = getattr(module, "__dict__", None)
    if not isinstance(namespace, dict):
        return b""
    found = {key: value for key, value in list(namespace.items()) if type(key) is str and has_cowns(value)}
    if not found:
        return b""
    import _pickle

    return bytes(_pickle.dumps(found, 5))


def _may_differ(value: Any) -> bool:
    # A cown is made by the module's code in every interpreter, or later by a call where None or nothing was before.
    return value is None or (type(value) in (list, dict, set) and not value) or has_cowns(value)


def replace(name: str) -> None:
    """In a worker: ask main, if the module looks as if it could have such globals, and take over what it tells."""
    namespace = getattr(sys.modules.get(name), "__dict__", None)
    if not isinstance(namespace, dict):
        return
    if not any(_may_differ(value) for key, value in namespace.items() if not key.startswith("__")):
        return
    try:
        told = _bocpy._ask(MODULE_COWNS, name.encode())
    except RuntimeError:
        return  # the program is ending
    if told:
        import _pickle

        namespace.update(_pickle.loads(told))
