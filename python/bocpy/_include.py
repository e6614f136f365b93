"""Where extension modules find what they are built with."""

from __future__ import annotations

from pathlib import Path

__all__ = ["get_include", "get_sources"]


def get_include() -> str:
    """The folder to add to a compiler's include path: for ``#include <bocpy/bocpy.h>``, and ``<boc/...>`` in C++."""
    return str(Path(__file__).resolve().parent / "include")


def get_sources() -> list[str]:
    """Source files to compile into an extension module that uses the headers.

    The list is empty on all platforms that the package supports: the headers are all there is.
    """
    return []
