"""Making values and functions again from what _carry packed in this or another interpreter.

Apart from the packing: a worker's first behavior needs this half only, and imports take most of its time.
"""

from __future__ import annotations

from . import _carry_classes as _classes
from ._carry_stream import load, loader

TYPE_CHECKING = False  # importing typing takes longer than all the rest; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def unpack(data: Any, buffers: Sequence[Any], outside: list[Any]) -> Any:
    """Unpack what pack() made here or in another interpreter."""
    return load(data, buffers, outside)


def unpack_function(data: Any, buffers: Sequence[Any], outside: list[Any]) -> Any:
    """Make the function that pack_function() packed: with empty cells and no defaults."""
    reader = loader(data, buffers, outside)
    function = reader.load()
    while True:
        try:
            item = reader.load()
        except Exception:  # something that this function need not have to do with
            return function
        if item is None:
            return function
        _classes.refresh(item[0], item[2])
