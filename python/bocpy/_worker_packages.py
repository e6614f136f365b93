"""Submodules in a worker's interpreter: imported when they are named.

Who names `xml.etree.ElementTree` relies on an import that some code of main has run, for all of main's code. A worker
runs other imports: what is missing in a package there, and can be imported, is.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing costs more than all of this; type checkers know the name
if TYPE_CHECKING:
    from typing import Any


def complete(package: Any) -> None:
    """Let a package import its submodules on demand, after what its own ``__getattr__`` knows."""
    name = package.__name__
    own = package.__dict__.get("__getattr__")
    if getattr(own, "__module__", None) == __name__:  # reloaded
        return

    def __getattr__(attribute: str) -> Any:
        missing = None
        if own is not None:
            try:
                return own(attribute)
            except AttributeError as error:
                missing = error
        full = f"{name}.{attribute}"
        if not attribute.startswith("__"):
            try:
                __import__(full)
                return sys.modules[full]
            except ModuleNotFoundError as error:
                if error.name != full:
                    raise
        raise missing or AttributeError(f"module {name!r} has no attribute {attribute!r}")

    package.__getattr__ = __getattr__
