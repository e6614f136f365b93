"""What is installed: our version, and whether another distribution shares the import name."""

from __future__ import annotations

import os
import warnings


def version() -> str:
    """The version of the distribution bocpy-dual; ``0.0.0+unknown`` where its metadata is missing."""
    import importlib.metadata

    try:
        return importlib.metadata.version("bocpy-dual")
    except importlib.metadata.PackageNotFoundError:
        return "0.0.0+unknown"


def warn_about_twin(package_file: str) -> None:
    """Warn if the distribution ``bocpy`` is installed next to this one: each overwrites files of the other."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(package_file)))
    try:
        names = os.listdir(folder)
    except OSError:
        return
    if any(name.startswith("bocpy-") and name.endswith(".dist-info") for name in names):
        warnings.warn(
            "the distributions bocpy and bocpy-dual are both installed and overwrite each other's files: uninstall "
            "both, then install the one you want",
            RuntimeWarning,
            stacklevel=3,
        )
